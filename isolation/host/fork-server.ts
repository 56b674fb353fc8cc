import { spawn, type ChildProcessByStdio } from 'node:child_process'
import type { Socket } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { Fault } from '../../base/errors.js'

/** A program of the host that ends soon, and whose output matters only when it fails. */
export interface ShortProgram {
  /** Without line breaks, as `directory`. */
  readonly argv: readonly [string, ...string[]]
  /** Its working directory; `/` by default. */
  readonly directory?: string
  /** Standard input, in whole lines; empty by default. */
  readonly input?: string
}

type Server = ChildProcessByStdio<Writable, Readable, null>

interface Ended {
  readonly code: number
  readonly output: string
}

const ENVIRONMENT = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  // Programs that enter the mount namespace of a container load no messages from there.
  LC_ALL: 'C',
  // fsconfig(2), the newer interface, accepts at most 256 bytes for an option.
  LIBMOUNT_FORCE_MOUNT2: 'always',
}

/**
 * Reads programs, each value on a line of its own, and starts them in the background. Values are never parsed as a part of
 * the script. For each program it prints its id, its exit code and its output, and a zero byte.
 */
const script = (mostOutput: number) => `
while IFS= read -r id && IFS= read -r directory && IFS= read -r lines && IFS= read -r words; do
  input='' line=''
  while [ "$lines" -gt 0 ]; do
    IFS= read -r line
    input=$input$line'
'
    lines=$((lines - 1))
  done
  set --
  while [ "$words" -gt 0 ]; do
    IFS= read -r line
    set -- "$@" "$line"
    words=$((words - 1))
  done
  {
    output=$(
      exec 2>&1
      cd -- "$directory" || exit
      if [ -z "$input" ]; then exec "$@" </dev/null; fi
      printf %s "$input" | "$@"
    )
    printf '%s %s %.${mostOutput}s\\0' "$id" "$?" "$output"
  } &
  # Forgets those that have ended.
  jobs >/dev/null
done
`

/**
 * A small process that starts programs for the daemon. When the daemon starts one itself, the kernel copies its page tables,
 * and then each page that it writes to; a shell has few of either.
 *
 * It starts with the first program, and ends with the daemon, however that ends.
 */
export class ForkServer {
  #server: Server | undefined
  #lastId = 0
  readonly #running = new Map<string, { readonly server: Server; readonly settle: (ended: Ended | Error) => void }>()

  /**
   * @param mostOutput of a program, in bytes. What is longer than a pipe takes at once (4096) may only come from one program at a
   *   time
   */
  constructor(private readonly mostOutput = 2_000) {}

  /**
   * Resolves when it has ended, with what it has written to standard output and standard error.
   *
   * Throws `Fault` (`process-failed`) with the program, its exit code and the end of its output, as `runProcess` does. There is
   * no way to end a program: see `ShortProgram`.
   */
  async run(program: ShortProgram): Promise<string> {
    const { argv } = program
    const ended = await this.#run(program)
    const what = `${argv[0]} ${argv[1] ?? ''} failed`
    if (ended instanceof Error) throw new Fault('process-failed', `${what}: ${ended.message}`, { cause: ended })
    if (ended.code !== 0)
      throw new Fault(
        'process-failed',
        `${what} (exit code ${ended.code}): ${ended.output.trim() || 'no error output'}`,
      )
    return ended.output
  }

  #run({ argv, directory = '/', input = '' }: ShortProgram): Promise<Ended | Error> {
    const lines = input === '' ? [] : input.replace(/\n$/, '').split('\n')
    const id = String(++this.#lastId)
    const request = [id, directory, lines.length, argv.length, ...lines, ...argv]
    const isWhole = [directory, ...argv].every((value) => !/[\n\0]/.test(value)) && !input.includes('\0')
    if (!isWhole) return Promise.resolve(new Error('a value contains a line break or a zero byte'))
    return new Promise((resolve) => {
      const server = (this.#server ??= this.#start())
      hold(server)
      this.#running.set(id, { server, settle: resolve })
      server.stdin.write(`${request.join('\n')}\n`)
    })
  }

  #start(): Server {
    const server = spawn('/bin/sh', ['-c', script(this.mostOutput)], {
      cwd: '/',
      env: ENVIRONMENT,
      stdio: ['pipe', 'pipe', 'ignore'],
      // Signals of a terminal are for the daemon.
      detached: true,
    })
    let text = ''
    server.stdout.setEncoding('utf8').on('data', (part: string) => {
      text += part
      const answers = text.split('\0')
      text = answers.pop() ?? ''
      for (const answer of answers) this.#ended(answer)
    })
    // It may have ended already: then it tells so.
    server.stdin.on('error', () => undefined)
    const gone = () => {
      if (this.#server === server) this.#server = undefined
    }
    // What it has started goes on, and still tells of its end.
    const over = (error: Error) => {
      gone()
      for (const [id, one] of this.#running) if (one.server === server) this.#settle(id, error)
    }
    server.on('exit', gone)
    server.on('error', over)
    server.on('close', () => over(new Error('the process that starts programs has ended')))
    return server
  }

  #ended(answer: string): void {
    const [, id = '', code, output = ''] = /^(\d+) (\d+) ([^]*)$/.exec(answer) ?? []
    this.#settle(id, { code: Number(code), output })
  }

  #settle(id: string, ended: Ended | Error): void {
    const found = this.#running.get(id)
    if (!found) return
    this.#running.delete(id)
    found.settle(ended)
    // A daemon that has nothing else to do may end.
    if (![...this.#running.values()].some(({ server }) => server === found.server)) letGo(found.server)
  }
}

/** That of the daemon. */
export const forkServer = new ForkServer()

function hold(server: Server): void {
  for (const one of [server, ...pipesOf(server)]) one.ref()
}

function letGo(server: Server): void {
  for (const one of [server, ...pipesOf(server)]) one.unref()
}

/** Node makes pipes as sockets; its types do not say so. */
function pipesOf({ stdin, stdout }: Server): Socket[] {
  return [stdin, stdout] as unknown as Socket[]
}

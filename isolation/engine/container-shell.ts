import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type Docker from 'dockerode'
import { Fault } from '../../base/errors.js'
import { orAborted } from '../../base/or-aborted.js'
import type { Shell, ShellHooks } from '../kept-container.js'
import type { ShellPlan, TerminalSize } from '../launch-plan.js'
import type { Attached, Container } from './container.js'
import { askEngine, askEngineForConnection, EngineRefusal } from './engine-errors.js'
import { DESCRIPTORS } from './limits.js'
import { pumpOutput } from './output-frames.js'
import { writeInput } from './write-input.js'

/**
 * runc can give a further program more descriptors than the first one: its Go runtime raises its own limit, and may do so
 * after the limits of the container were set (https://github.com/opencontainers/runc/issues/4195).
 *
 * Its program may have removed its working directory. Without that, the Engine starts nothing there.
 */
const ENTER = `ulimit -S -n ${DESCRIPTORS}
cd -- "$1" 2>/dev/null || printf 'The directory %s cannot be entered: this is /.\\n' "$1" >&2
unset OLDPWD
shift
`

/** The shell of the root, if the client names no command. Every root has /bin/sh: the init is a script of it. */
const SHELL_OF_ROOT = 'if [ -x /bin/bash ]; then exec /bin/bash; fi; exec /bin/sh'

/** The shell says what is wrong with a command that it cannot find, where the Engine would answer with an error. */
const COMMAND = 'exec "$@"'

/** How often to ask for the end of a shell, in milliseconds: what it leaves in the background keeps its output open. */
const ASK_EVERY_MS = 1_000

/** How often to ask whether a shell has started, in milliseconds. */
const ASK_FOR_START_EVERY_MS = 10

/** How long a shell may take to end when its terminal is lost, in milliseconds. */
const GRACE_MS = 2_000

/** A program that the Engine has started in a container, beside its first process. */
export class ContainerShell implements Shell {
  readonly ended: Promise<number | undefined>
  readonly #over = new AbortController()
  #hungUp = false

  private constructor(
    private readonly container: Container,
    private readonly exec: Docker.Exec,
    private readonly stream: Attached,
    private readonly hasTerminal: boolean,
    hooks: ShellHooks,
    closed: AbortSignal,
  ) {
    this.ended = this.#run(hooks, closed)
  }

  /**
   * Resolves when its process has started: until then the container must not be frozen.
   *
   * @param closed when aborted, the shell ends without an exit code
   */
  static async open(
    container: Container,
    workingDirectory: string,
    { command, terminal }: ShellPlan,
    hooks: ShellHooks,
    closed: AbortSignal,
  ): Promise<ContainerShell> {
    const hasTerminal = terminal !== undefined
    const script = `${ENTER}${command ? COMMAND : SHELL_OF_ROOT}`
    // User and environment are those of the container, and its profile and capabilities apply.
    const exec = await container.exec({
      Cmd: ['/bin/sh', '-c', script, 'sh', workingDirectory, ...(command ?? [])],
      WorkingDir: '/',
      Env: terminal ? [`TERM=${terminal.type}`] : [],
      Tty: hasTerminal,
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
    })
    let stream: Attached
    try {
      const options = { hijack: true, stdin: true, Tty: hasTerminal }
      const start = (abortSignal: AbortSignal) => exec.start({ ...options, abortSignal })
      stream = await askEngineForConnection('open a shell in a container', start, closed)
    } catch (error) {
      if (!(error instanceof EngineRefusal)) throw error
      throw new Fault('no-shell', `No shell can be started in the kept container: ${error.reason}.`, { cause: error })
    }
    const shell = new ContainerShell(container, exec, stream, hasTerminal, hooks, closed)
    try {
      await untilStarted(exec, closed)
    } catch (error) {
      stream.destroy()
      throw error
    }
    if (terminal) await shell.resize(terminal)
    return shell
  }

  async input(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    await writeInput(this.stream, chunks)
    // A terminal has no end: its user types it.
    if (!this.hasTerminal) this.stream.end()
  }

  async resize({ columns, rows }: TerminalSize): Promise<void> {
    if (!this.hasTerminal || this.#over.signal.aborted) return
    await this.exec.resize({ w: columns, h: rows }).catch(() => undefined)
  }

  hangUp(): void {
    if (this.#hungUp) return
    this.#hungUp = true
    void this.#hangUp()
  }

  async #run(hooks: ShellHooks, closed: AbortSignal): Promise<number | undefined> {
    const onClosed = () => this.#over.abort()
    closed.addEventListener('abort', onClosed, { once: true })
    if (closed.aborted) onClosed()
    const pumped = this.#pump((stream, chunk) => hooks.output(stream, chunk))
    pumped.catch(() => undefined)
    try {
      const ended = Promise.race([pumped.then(() => this.#exitCode()), this.#askForEnd()])
      const exitCode = await orAborted(ended, this.#over.signal)
      // What it has printed may still be on its way.
      await Promise.race([pumped, delay(GRACE_MS, undefined, { signal: this.#over.signal })]).catch(() => undefined)
      return exitCode
    } catch {
      return undefined
    } finally {
      closed.removeEventListener('abort', onClosed)
      this.#over.abort()
      this.stream.destroy()
    }
  }

  async #pump(output: ShellHooks['output']): Promise<void> {
    if (this.hasTerminal) for await (const chunk of this.stream) await output('stdout', chunk)
    else await pumpOutput(this.stream, output)
  }

  /** After the end of the output. */
  async #exitCode(): Promise<number | undefined> {
    for (;;) {
      const { Running, ExitCode } = await this.exec.inspect()
      if (!Running) return ExitCode ?? undefined
      await delay(ASK_EVERY_MS / 20, undefined, { signal: this.#over.signal })
    }
  }

  async #askForEnd(): Promise<number | undefined> {
    for (;;) {
      await delay(ASK_EVERY_MS, undefined, { signal: this.#over.signal })
      const { Running, ExitCode } = await this.exec.inspect()
      if (!Running) return ExitCode ?? undefined
    }
  }

  /** Its terminal is in the Engine, which does not close it. Without one, the end of the input may be enough. */
  async #hangUp(): Promise<void> {
    this.stream.end()
    await this.#signal('SIGHUP')
    await delay(GRACE_MS, undefined, { signal: this.#over.signal }).catch(() => undefined)
    if (this.#over.signal.aborted) return
    await this.#signal('SIGKILL')
  }

  /** The Engine cannot signal what it has started beside the first process. */
  async #signal(name: 'SIGHUP' | 'SIGKILL'): Promise<void> {
    try {
      const { Pid, Running } = await this.exec.inspect()
      if (!Running || Pid <= 0) return
      // Process ids are reused.
      if (!(await readFile(`/proc/${Pid}/cgroup`, 'utf8')).includes(this.container.id)) return
      process.kill(Pid, name)
    } catch {
      // It has ended.
    }
  }
}

/** The Engine answers the request for a start before the process is there, or it is clear that it cannot be. */
async function untilStarted(exec: Docker.Exec, closed: AbortSignal): Promise<void> {
  for (;;) {
    const { Pid, ExitCode } = await askEngine('look at a shell', exec.inspect())
    if (Pid > 0 || ExitCode !== null) return
    await delay(ASK_FOR_START_EVERY_MS, undefined, { signal: closed })
  }
}

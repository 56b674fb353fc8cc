import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { addAbortListener, once } from 'node:events'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { errnoOf, Fault } from '../../base/errors.js'
import { withLargeOutputBuffer } from './output-buffer.js'

/**
 * How a filter ended: a program that bytes are streamed through. base/run-process.ts is for programs with a short text
 * output. Filters carry gigabytes of binary data, and are killed with SIGKILL because they have nothing to clean up.
 */
export interface FilterExit {
  readonly exitCode: number | null
  readonly killedBy: NodeJS.Signals | null
  /** The last bytes of its standard error. */
  readonly stderr: string
  /** False when it ended before it had read all of its input. */
  readonly readAll: boolean
}

export interface FilterOptions {
  readonly signal?: AbortSignal | undefined
  /** Returns the error that an exit stands for, or undefined for a successful one. */
  readonly checkExit: (exit: FilterExit) => Error | undefined
}

/** One program of a chain. */
export interface Filter {
  readonly argv: readonly string[]
  readonly checkExit: FilterOptions['checkExit']
  /** Called when this program has ended successfully. The programs after it may still be running. */
  readonly onSuccess?: () => void
  /** Called when this program has ended in any way, or could not be started; maybe twice. */
  readonly onEnd?: () => void
}

const ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8' }
const MAX_STDERR_CHARACTERS = 4000
const CHUNK = 256 * 1024

/**
 * The output of `argv` for `input`, as a stream. It ends without an error only when `checkExit` accepts the program's
 * exit. Destroying it kills the program and destroys `input`. Attach a consumer in the same tick, as for any stream
 * that may fail.
 */
export function throughProcess(input: Readable, argv: readonly string[], options: FilterOptions): Readable {
  return throughProcesses(input, [{ argv, checkExit: options.checkExit }], options.signal)
}

/**
 * The output of a chain of programs, of which the first reads `input`. The programs are connected directly: to pass the
 * bytes through Node would copy them twice more, on the daemon's only thread.
 */
export function throughProcesses(input: Readable, filters: readonly Filter[], signal?: AbortSignal): Readable {
  const children = startChain(filters)
  const [first, child] = [children[0], children.at(-1)]
  if (!first || !child) return input
  const output = new Readable({
    highWaterMark: CHUNK,
    read: () => void child.stdout.resume(),
    destroy: (error, done) => {
      subscription?.[Symbol.dispose]()
      for (const each of children) each.kill('SIGKILL')
      child.stdout.destroy()
      input.destroy(error ?? undefined)
      done(error)
    },
  })
  const subscription = signal && addAbortListener(signal, () => output.destroy(reasonOf(signal)))
  child.stdout.on('data', (chunk: Buffer) => {
    if (!output.push(chunk)) child.stdout.pause()
  })
  void waitForAll(children, filters, feed(first, input), signal).then(
    () => output.push(null),
    (error: unknown) => output.destroy(error as Error),
  )
  return output
}

function startChain(filters: readonly Filter[]): ChildProcessWithoutNullStreams[] {
  const children: ChildProcessWithoutNullStreams[] = []
  try {
    for (const { argv, onEnd } of filters) {
      const before = children.at(-1)
      const child = start(withLargeOutputBuffer(argv), before?.stdout)
      children.push(child)
      if (onEnd) child.once('close', onEnd)
      // Closes our end of the pipe between them: while it is open, the writer gets no EPIPE when its reader exits.
      before?.stdout.destroy()
    }
  } catch (error) {
    for (const child of children) child.kill('SIGKILL')
    for (const { onEnd } of filters) onEnd?.()
    throw error
  }
  return children
}

/** Rejects with the error of the last failed program: the programs before it fail because they lose their reader. */
async function waitForAll(
  children: readonly ChildProcessWithoutNullStreams[],
  filters: readonly Filter[],
  feeding: Promise<FeedResult>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const results = await Promise.allSettled(
    children.map(async (child, index) => {
      const { checkExit = () => undefined, onSuccess } = filters[index] ?? {}
      await waitForExit(child, index === 0 ? feeding : Promise.resolve({ kind: 'all' }), { signal, checkExit })
      onSuccess?.()
    }),
  )
  for (const result of results.reverse()) if (result.status === 'rejected') throw result.reason
}

/**
 * Feeds `input` to `argv`, discards its standard output and waits for it to exit. Rejects with the error of `input`, or
 * with the error that `checkExit` returns. In both cases the program has exited by then.
 */
export async function intoProcess(input: Readable, argv: readonly string[], options: FilterOptions): Promise<void> {
  const child = start(argv)
  child.stdout.resume()
  const subscription =
    options.signal &&
    addAbortListener(options.signal, () => {
      child.kill('SIGKILL')
      input.destroy(reasonOf(options.signal))
    })
  try {
    await waitForExit(child, feed(child, input), options)
  } finally {
    subscription?.[Symbol.dispose]()
  }
}

type FeedResult =
  | { readonly kind: 'all' }
  /** The program closed its standard input before the end. Its exit code says more than our EPIPE. */
  | { readonly kind: 'closed-early' }
  | { readonly kind: 'error'; readonly error: unknown }

async function feed(child: ChildProcessWithoutNullStreams, input: Readable): Promise<FeedResult> {
  let inputError: unknown
  let closedEarly = false as boolean
  input.once('error', (error) => (inputError = error))
  // Registered before `pipeline`, which destroys the input with an error of its own.
  child.stdin.once('close', () => (closedEarly = inputError === undefined))
  try {
    await pipeline(input, child.stdin)
    return { kind: 'all' }
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'EPIPE' || errno === 'ECONNRESET') return { kind: 'closed-early' }
    if (errno === 'ERR_STREAM_PREMATURE_CLOSE' && closedEarly) return { kind: 'closed-early' }
    child.kill('SIGKILL')
    return { kind: 'error', error: inputError ?? error }
  }
}

async function waitForExit(
  child: ChildProcessWithoutNullStreams,
  feeding: Promise<FeedResult>,
  { signal, checkExit }: FilterOptions,
): Promise<void> {
  let stderr = ''
  child.stderr
    .setEncoding('utf8')
    .on('data', (text: string) => (stderr = (stderr + text).slice(-MAX_STDERR_CHARACTERS)))
  // `close`, not `exit`: it waits for every process that holds the pipes, including children of the program.
  const [closed, fed] = await Promise.allSettled([once(child, 'close'), feeding])
  signal?.throwIfAborted()
  if (closed.status === 'rejected')
    throw new Fault('tool-missing', `${child.spawnfile} could not be started: install it.`, { cause: closed.reason })
  // 127 is the convention of shells, and of our wrapper programs, for a program that could not be started.
  if (child.exitCode === 127)
    throw new Fault('tool-missing', `A program for archives could not be started (${stderr.trim()}): install it.`)
  if (fed.status === 'fulfilled' && fed.value.kind === 'error') throw fed.value.error
  const error = checkExit({
    exitCode: child.exitCode,
    killedBy: child.signalCode,
    stderr: stderr.trim(),
    readAll: fed.status === 'fulfilled' && fed.value.kind === 'all',
  })
  if (error) throw error
}

function start(argv: readonly string[], stdin?: Readable): ChildProcessWithoutNullStreams {
  const [file = '', ...args] = argv
  // With `stdin` given, the child has no writable `stdin`. The cast is safe: only the first of a chain is fed.
  const stdio = [stdin ?? 'pipe', 'pipe', 'pipe']
  return spawn(file, args, { stdio: stdio as ['pipe', 'pipe', 'pipe'], env: ENVIRONMENT })
}

function reasonOf(signal: AbortSignal | undefined): Error {
  return signal?.reason instanceof Error ? signal.reason : new Error('aborted')
}

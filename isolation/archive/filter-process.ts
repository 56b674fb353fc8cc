import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { addAbortListener, once } from 'node:events'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { errnoOf, Fault } from '../../base/errors.js'
import { withLargeOutputBuffer } from './output-buffer.js'

/**
 * Programs that bytes stream through. base/run-process.ts is for programs whose output is a short text; these carry
 * gigabytes, in bytes that are no text, and are killed outright: a filter has nothing to tidy up.
 */
export interface FilterEnd {
  readonly exitCode: number | null
  readonly killedBy: NodeJS.Signals | null
  /** The end of what it said on standard error. */
  readonly stderr: string
  /** False when it ended before it had read all that there was for it. */
  readonly readAll: boolean
}

export interface FilterOptions {
  readonly signal?: AbortSignal | undefined
  /** The error for an end, or undefined where the end is a good one. */
  readonly judge: (end: FilterEnd) => Error | undefined
}

/** One program of a chain. */
export interface Filter {
  readonly argv: readonly string[]
  readonly judge: FilterOptions['judge']
  /** Told when it has ended well; those behind it may still be at work. */
  readonly onSuccess?: () => void
}

const ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8' }
const STDERR_KEPT = 4000
const CHUNK = 256 * 1024

/**
 * What `argv` makes of `input`, as a stream. It ends well only when the program did and `judge` agrees; destroying it
 * kills the program and destroys `input`. Attach a consumer in the same tick, as to any stream that may err.
 */
export function throughProcess(input: Readable, argv: readonly string[], options: FilterOptions): Readable {
  return throughProcesses(input, [{ argv, judge: options.judge }], options.signal)
}

/**
 * What the last of `filters` makes of what the one before it makes, and so on back to `input`. Programs hand bytes to
 * each other directly: through us they would be copied twice more, on the daemon's only thread.
 */
export function throughProcesses(input: Readable, filters: readonly Filter[], signal?: AbortSignal): Readable {
  const children = startChain(filters)
  const [first, child] = [children[0], children.at(-1)]
  if (!first || !child) return input
  const output = new Readable({
    highWaterMark: CHUNK,
    read: () => void child.stdout.resume(),
    destroy: (error, done) => {
      listening?.[Symbol.dispose]()
      for (const each of children) each.kill('SIGKILL')
      child.stdout.destroy()
      input.destroy(error ?? undefined)
      done(error)
    },
  })
  const listening = signal && addAbortListener(signal, () => output.destroy(reasonOf(signal)))
  child.stdout.on('data', (chunk: Buffer) => {
    if (!output.push(chunk)) child.stdout.pause()
  })
  void settleAll(children, filters, feed(first, input), signal).then(
    () => output.push(null),
    (error: unknown) => output.destroy(error as Error),
  )
  return output
}

function startChain(filters: readonly Filter[]): ChildProcessWithoutNullStreams[] {
  const children: ChildProcessWithoutNullStreams[] = []
  for (const { argv } of filters) {
    const before = children.at(-1)
    children.push(start(withLargeOutputBuffer(argv), before?.stdout))
    // Ours of the pipe between them: while it was open, the writer would not notice that its reader is gone.
    before?.stdout.destroy()
  }
  return children
}

/** Rejects with the error of the last program that failed: those before it only lost their reader. */
async function settleAll(
  children: readonly ChildProcessWithoutNullStreams[],
  filters: readonly Filter[],
  feeding: Promise<Fed>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const ends = await Promise.allSettled(
    children.map(async (child, index) => {
      const { judge = () => undefined, onSuccess } = filters[index] ?? {}
      await settle(child, index === 0 ? feeding : Promise.resolve({ kind: 'all' }), { signal, judge })
      onSuccess?.()
    }),
  )
  for (const end of ends.reverse()) if (end.status === 'rejected') throw end.reason
}

/**
 * Feed `input` to `argv`, whose standard output is thrown away, and wait for its end. Rejects with the error of `input`,
 * or with what `judge` says; either way the program is over by then.
 */
export async function intoProcess(input: Readable, argv: readonly string[], options: FilterOptions): Promise<void> {
  const child = start(argv)
  child.stdout.resume()
  const listening =
    options.signal &&
    addAbortListener(options.signal, () => {
      child.kill('SIGKILL')
      input.destroy(reasonOf(options.signal))
    })
  try {
    await settle(child, feed(child, input), options)
  } finally {
    listening?.[Symbol.dispose]()
  }
}

type Fed = { readonly kind: 'all' } | { readonly kind: 'refused' } | { readonly kind: 'error'; readonly error: unknown }

/** Refused: the program closed its standard input early; its exit code says more than our EPIPE. */
async function feed(child: ChildProcessWithoutNullStreams, input: Readable): Promise<Fed> {
  let inputError: unknown
  let closedEarly = false as boolean
  input.once('error', (error) => (inputError = error))
  // Before `pipeline` listens, which then gives the input an error of its own making.
  child.stdin.once('close', () => (closedEarly = inputError === undefined))
  try {
    await pipeline(input, child.stdin)
    return { kind: 'all' }
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'EPIPE' || errno === 'ECONNRESET') return { kind: 'refused' }
    if (errno === 'ERR_STREAM_PREMATURE_CLOSE' && closedEarly) return { kind: 'refused' }
    child.kill('SIGKILL')
    return { kind: 'error', error: inputError ?? error }
  }
}

async function settle(
  child: ChildProcessWithoutNullStreams,
  feeding: Promise<Fed>,
  { signal, judge }: FilterOptions,
): Promise<void> {
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-STDERR_KEPT)))
  // `close`, not `exit`: every process that holds the pipes is gone by then, those that the program started included.
  const [closed, fed] = await Promise.allSettled([once(child, 'close'), feeding])
  signal?.throwIfAborted()
  if (closed.status === 'rejected')
    throw new Fault('tool-missing', `${child.spawnfile} could not be started: install it.`, { cause: closed.reason })
  // By convention of shells, and of the wrappers that we start programs with: what was to run could not be run.
  if (child.exitCode === 127)
    throw new Fault('tool-missing', `A program that archives need could not be started (${stderr.trim()}): install it.`)
  if (fed.status === 'fulfilled' && fed.value.kind === 'error') throw fed.value.error
  const error = judge({
    exitCode: child.exitCode,
    killedBy: child.signalCode,
    stderr: stderr.trim(),
    readAll: fed.status === 'fulfilled' && fed.value.kind === 'all',
  })
  if (error) throw error
}

function start(argv: readonly string[], stdin?: Readable): ChildProcessWithoutNullStreams {
  const [file = '', ...args] = argv
  // With an input of its own there is no `stdin` to write to, and nobody does: only the first of a chain is fed.
  const stdio = [stdin ?? 'pipe', 'pipe', 'pipe']
  return spawn(file, args, { stdio: stdio as ['pipe', 'pipe', 'pipe'], env: ENVIRONMENT })
}

function reasonOf(signal: AbortSignal | undefined): Error {
  return signal?.reason instanceof Error ? signal.reason : new Error('aborted')
}

import type { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { CleanupFailure, CleanupStack } from '../../base/cleanup-stack.js'
import { messageOf } from '../../base/errors.js'
import type { Ending, RunningContainer as RunningContainerPort, SnapshotReport, StartHooks } from '../isolation.js'
import type { Limits } from '../launch-plan.js'
import type { Attached, Container } from './container.js'
import { engineError } from './engine-errors.js'
import type { Freezer } from './freezer.js'
import { LimitWatch, type LimitProbe } from './limit-watch.js'
import { pumpOutput } from './output-frames.js'

/** Passes on what a container has changed, once it stands still. */
export type TakeSnapshot = <T>(
  request: SnapshotRequest,
  write: (archive: Readable) => Promise<T>,
) => Promise<SnapshotReport<T>>

export interface SnapshotRequest {
  readonly directory: string | undefined
  readonly exclude: readonly string[]
  /** Resolves when the container stands still. Programs may be started before; of its files nothing is read. */
  readonly standstill: Promise<void>
  /** Told when none of the container's files is read any more, unless that fails. */
  readonly onRead: () => void
  /** Ends the reading of the container's files. */
  readonly signal: AbortSignal
}

export interface RunningParts {
  readonly container: Container
  readonly attached: Attached
  readonly limits: Limits
  readonly hooks: Pick<StartHooks, 'output'>
  readonly publishedPorts: readonly number[]
  /** Aborted, with the reason, when the host cannot keep it in any more. */
  readonly lost: AbortSignal
  /** `freezer` is the one by which its `ownUse` freezes. */
  readonly probe: LimitProbe
  readonly freezer: Freezer
  readonly takeSnapshot: TakeSnapshot
}

/** Between SIGTERM and SIGKILL, in milliseconds. */
const GRACE_MS = 5_000

/** How long the Engine may be silent about a container's end before it is asked, in milliseconds. */
const ASK_AFTER_MS = 1_000

/** setTimeout takes a longer time for none at all. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/**
 * A container whose program runs.
 *
 * INVARIANTS
 * - The first cause of its end is the one that `ended` reports, however it ends after that.
 * - `ended` resolves after the last piece of output was taken, unless it is released before that, and never rejects.
 * - Nothing of it is thawed or ended while its files are read: ending aborts the reading, and goes through the freezer
 *   before any signal is sent.
 */
export class RunningContainer implements RunningContainerPort {
  readonly ended: Promise<Ending>
  readonly publishedPorts: readonly number[]
  readonly #parts: RunningParts
  #cause: Ending | undefined
  readonly #ending = new AbortController()
  readonly #over = new AbortController()

  /** From here on the program counts as running: its time begins. */
  constructor(parts: RunningParts) {
    this.#parts = parts
    this.publishedPorts = parts.publishedPorts
    this.ended = this.#run()
  }

  stop(): void {
    this.#end({ kind: 'stopped' }, 'with grace')
  }

  /**
   * End it at once, if it has not ended. To be called once.
   *
   * @param undo of all that was made for it; the container is the first to go
   */
  async release(undo: CleanupStack): Promise<CleanupFailure[]> {
    const { attached, freezer } = this.#parts
    this.#cause ??= { kind: 'stopped' }
    this.#ending.abort()
    await withinGrace(freezer.close(), AbortSignal.timeout(GRACE_MS))
    const failures = await undo.run()
    // Whatever the Engine still owes an answer, nobody waits for it any more.
    this.#over.abort()
    attached.destroy()
    await this.ended
    return failures
  }

  async snapshot<T>(
    directory: string | undefined,
    write: (archive: Readable) => Promise<T>,
    exclude: readonly string[] = [],
  ): Promise<SnapshotReport<T>> {
    const { freezer, takeSnapshot } = this.#parts
    const { report } = await freezer.fromFreezing(async (standstill) => {
      let onRead = (): void => undefined
      const read = new Promise<void>((resolve) => (onRead = resolve))
      const report = takeSnapshot({ directory, exclude, standstill, onRead, signal: this.#ending.signal }, write)
      await Promise.race([read, report])
      // In an object, because its end is not to be awaited here: the program goes on while the archive is being stored.
      return { report }
    })
    return await report
  }

  async #run(): Promise<Ending> {
    const { container, attached, limits, hooks, lost, probe } = this.#parts
    const afterMs = limits.timeoutMs
    const timeOut = () => {
      this.#end({ kind: 'timeout', afterMs }, 'with grace')
    }
    const timer = afterMs === Infinity ? undefined : setTimeout(timeOut, Math.min(afterMs, LONGEST_TIMER_MS))
    const onLost = () => {
      this.#end({ kind: 'engine-lost', error: asError(lost.reason) }, 'at once')
    }
    lost.addEventListener('abort', onLost)
    if (lost.aborted) onLost()
    const watch = new LimitWatch(probe, limits)
    void watch.untilHit(this.#over.signal).then((ending) => {
      if (ending) this.#end(ending, 'at once')
    })
    const output = pumpOutput(attached, (stream, chunk) => hooks.output(stream, chunk))
    // Without a reader the container would stand still before a full pipe for ever.
    output.catch((error: unknown) => {
      this.#end({ kind: 'engine-lost', error: asError(error) }, 'at once')
    })
    const waiting = container.wait()
    waiting.catch(() => undefined)
    try {
      // The kernel's counters go with the container: a last look before the Engine has tidied up.
      await Promise.race([output, waiting]).catch(() => undefined)
      // Awaited first: `??= await` looks at the cause before it waits, and would overwrite one that came meanwhile.
      const hit = await watch.lookAtCounts()
      this.#cause ??= hit
      const exitCode = await this.#orOver(Promise.race([waiting, this.#askForExitCode()]))
      await this.#orOver(output)
      const explanation = exitCode === 0 ? undefined : await this.#explain(watch)
      this.#cause ??= explanation
      return this.#cause ?? { kind: 'exited', exitCode }
    } catch (error) {
      return this.#cause ?? { kind: 'engine-lost', error: engineError('wait for a container', error) }
    } finally {
      clearTimeout(timer)
      lost.removeEventListener('abort', onLost)
      this.#cause ??= { kind: 'stopped' }
      this.#over.abort()
    }
  }

  /**
   * Its output is over, so it has ended, or the Engine has. An answer that the Engine began before it was killed is never
   * finished, and nobody tells us so: hence the question, in case the answer does not come at once.
   */
  async #askForExitCode(): Promise<number> {
    for (;;) {
      await delay(ASK_AFTER_MS, undefined, { signal: this.#over.signal })
      const exitCode = await this.#parts.container.exitCode()
      if (exitCode !== undefined) return exitCode
    }
  }

  /** A program that met a limit often ends by itself, before the next look. */
  async #explain(watch: LimitWatch): Promise<Ending | undefined> {
    const { container, limits } = this.#parts
    if (await container.wasOutOfMemory()) return { kind: 'out-of-memory', limitBytes: limits.memoryBytes }
    return await watch.look()
  }

  #end(cause: Ending, how: 'with grace' | 'at once'): void {
    if (this.#cause) return
    this.#cause = cause
    this.#ending.abort()
    // A signal that cannot be sent is the Engine's silence, which `ended` hears of by itself.
    this.#signal(how).catch(() => undefined)
  }

  async #signal(how: 'with grace' | 'at once'): Promise<void> {
    const { container, freezer } = this.#parts
    await withinGrace(freezer.close(), this.#over.signal)
    if (how === 'with grace') {
      await container.signal('SIGTERM')
      await withinGrace(this.ended, this.#over.signal)
    }
    if (!this.#over.signal.aborted) await container.signal('SIGKILL')
  }

  /** `promise`, or a rejection when everything has been released under it. */
  async #orOver<T>(promise: Promise<T>): Promise<T> {
    const { signal } = this.#over
    let onAbort: (() => void) | undefined
    const over = new Promise<never>((_, reject) => {
      onAbort = () => reject(new Error('released'))
      signal.addEventListener('abort', onAbort, { once: true })
    })
    try {
      return await Promise.race([promise, over])
    } finally {
      if (onAbort) signal.removeEventListener('abort', onAbort)
    }
  }
}

/** Until `promise` settles, the grace is over, or `signal` aborts. */
async function withinGrace(promise: Promise<unknown>, signal: AbortSignal): Promise<void> {
  const done = new AbortController()
  const waitFor = AbortSignal.any([done.signal, signal])
  await Promise.race([promise, delay(GRACE_MS, undefined, { signal: waitFor })]).catch(() => undefined)
  done.abort()
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(messageOf(error))
}

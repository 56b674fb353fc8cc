import type { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { CleanupFailure, CleanupStack } from '../../base/cleanup-stack.js'
import { Conflict, Fault, messageOf } from '../../base/errors.js'
import { orAborted } from '../../base/or-aborted.js'
import type {
  Ending,
  ForcedEnding,
  LimitEnding,
  RunningContainer as RunningContainerPort,
  SnapshotReport,
  SnapshotRequest,
  StartHooks,
} from '../isolation.js'
import { engineError, isEngineFailing } from './engine-errors.js'
import { KeptContainer } from './kept-container.js'
import { LimitWatch } from './limit-watch.js'
import { pumpOutput } from './output-frames.js'
import type { RunningParts } from './running-parts.js'
import { unnoticedEnd, untilEnded } from './unnoticed-end.js'
import { writeInput } from './write-input.js'
import { takeSnapshot } from '../snapshot/snapshot.js'

/** The grace period between SIGTERM and SIGKILL, in milliseconds. */
const GRACE_MS = 5_000

/** How long to wait for the Engine to report the end of a container before asking for it, in milliseconds. */
const ASK_AFTER_MS = 1_000

/** setTimeout fires at once for a longer delay. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/**
 * A container whose program runs.
 *
 * INVARIANTS
 * - `ended` reports the first cause of the end, whatever happens after that.
 * - `ended` resolves after the last chunk of output was accepted, unless the container is released before or cannot be
 *   signalled, and never rejects.
 * - The container is not ended while its files are read: ending it aborts the reading, and closes the freezer before it
 *   sends a signal.
 * - A keepable container ends only for a cause after which nobody may keep it. For any other it is frozen as it is.
 */
export class RunningContainer implements RunningContainerPort {
  readonly ended: Promise<Ending>
  readonly printed: Promise<void>
  readonly publishedPorts: readonly number[]
  readonly #parts: RunningParts
  #cause: ForcedEnding | undefined
  #isOver = false
  readonly #ending = new AbortController()
  /** Aborted when nothing more is to be learned of its end. */
  readonly #over = new AbortController()
  /** Owns the connection on which the Engine tells of the end, which a kept container needs until its release. */
  readonly #released = new AbortController()
  /** Aborted when all of it has been removed. */
  readonly #removed = new AbortController()
  readonly #watch: LimitWatch
  #kept: KeptContainer | undefined
  /** Until the end of the container. */
  readonly #output: Promise<void>
  readonly #waiting: Promise<number>

  /** The time limit of the program begins here. */
  constructor(parts: RunningParts) {
    this.#parts = parts
    this.publishedPorts = parts.publishedPorts
    this.#watch = new LimitWatch(parts.probe, parts.limits, parts.retryMs)
    this.#output = this.#pump()
    this.#waiting = parts.container.wait(this.#released.signal)
    this.ended = this.#run()
    const never = new Promise<never>(() => undefined)
    this.printed = Promise.race<unknown>([this.ended, this.#output.catch(() => never)]).then(() => undefined)
  }

  async input(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const { attached } = this.#parts
    try {
      await writeInput(attached, chunks)
    } finally {
      // Also when the client is lost: nobody else can send the rest, for which the program would wait.
      attached.end()
    }
  }

  async finished(): Promise<void> {
    const { init, marks } = this.#parts
    // `ended` does not tell: it may be the end of a container that nobody can signal.
    const processes = untilEnded(init, this.#removed.signal).catch(() => this.ended)
    // The first process of a keepable one goes on after the program. A mark without an exit code says that the program runs.
    const marked = marks?.passed.then((exitCode) => (exitCode === undefined ? processes : undefined))
    await Promise.race<unknown>([processes, ...(marked ? [marked] : [])])
  }

  stop(): void {
    this.#end({ kind: 'stopped' }, 'with grace')
  }

  halt(): void {
    this.#end({ kind: 'stopped' }, this.#parts.marks ? 'frozen' : 'with grace')
  }

  async keep(): Promise<KeptContainer> {
    const { freezer, limits, probe, container, workingDirectory, lost } = this.#parts
    await freezer.hold().catch((error: unknown) => {
      if (!(error instanceof Conflict)) throw error
      throw new Fault('container-gone', 'The container cannot be kept: it is being ended.', { cause: error })
    })
    const gone = Promise.allSettled([Promise.race([this.#output, this.#waiting])])
    this.#kept = new KeptContainer({ container, freezer, probe, workingDirectory, limits, gone, unsafe: lost })
    await this.#kept.measure()
    return this.#kept
  }

  async causeSoFar(): Promise<ForcedEnding | undefined> {
    const hit = this.#cause ? undefined : await this.#watch.decide()
    if (hit) this.#endForLimit(hit)
    // Nothing can be measured in a container that is ended meanwhile. Where it has ended by itself, `ended` may be decided.
    return this.#cause ?? (hit && asEnding(hit))
  }

  /**
   * End it at once, if it has not ended. To be called once.
   *
   * @param undo the cleanup of all its resources, which begins with the container
   */
  async release(undo: CleanupStack): Promise<CleanupFailure[]> {
    const { attached, freezer } = this.#parts
    this.#setCause({ kind: 'stopped' })
    this.#ending.abort()
    this.#kept?.close()
    // Also when its program has ended: a snapshot may still read its files.
    await this.#withinGrace(freezer.close(), new AbortController().signal)
    const failures = await undo.run()
    if (failures.length === 0) this.#removed.abort()
    // Do not wait for pending responses of the Engine.
    this.#over.abort()
    this.#released.abort()
    attached.destroy()
    await this.ended
    return failures
  }

  async snapshot<T>(request: SnapshotRequest, write: (archive: Readable) => Promise<T>): Promise<SnapshotReport<T>> {
    const { freezer, root, owners, snapshotting } = this.#parts
    const { givenFiles } = snapshotting
    const compressor = await snapshotting.compressor()
    const { signal } = this.#ending
    try {
      return await takeSnapshot({ ...request, ...root, owners, givenFiles, compressor, freezer, signal }, write)
    } catch (error) {
      if (isEngineFailing(error)) this.#end({ kind: 'engine-lost', error }, 'at once')
      // That the container is being ended says less than why, and its watch may have been the first to know.
      throw this.#cause?.kind === 'engine-lost' ? this.#cause.error : error
    }
  }

  async #run(): Promise<Ending> {
    const { container, init, limits, lost, marks, noticeMs } = this.#parts
    const afterMs = limits.timeoutMs
    const timeOut = () => {
      this.#end({ kind: 'timeout', afterMs }, marks ? 'frozen' : 'with grace')
    }
    const timer = afterMs === Infinity ? undefined : setTimeout(timeOut, Math.min(afterMs, LONGEST_TIMER_MS))
    const onLost = () => {
      this.#end({ kind: 'engine-lost', error: asError(lost.reason) }, 'at once')
    }
    lost.addEventListener('abort', onLost)
    if (lost.aborted) onLost()
    const watch = this.#watch
    void watch.untilHit(this.#over.signal).then((ending) => {
      if (ending) this.#endForLimit(ending)
    })
    const output = this.#output
    // Without a reader, the program would block on a full pipe.
    output.catch((error: unknown) => {
      this.#end({ kind: 'engine-lost', error: asError(error) }, 'at once')
    })
    const waiting = this.#waiting
    waiting.catch(() => undefined)
    const over = this.#over.signal
    const unnoticed = unnoticedEnd(container, init, over, { noticeMs })
    const others = [unnoticed, ...(marks ? [marks.passed] : [])]
    try {
      // The counters of the cgroup are removed with the container: read them before the Engine removes it.
      await orAborted(Promise.race<unknown>([output, waiting, ...others]), over).catch(() => undefined)
      this.#setCause(await watch.lookAtCounts())
      const exitCode = await orAborted(Promise.race([waiting, this.#askForExitCode(), ...others]), over)
      await orAborted(Promise.race<unknown>([output, ...others]), over)
      if (exitCode !== 0) {
        await orAborted(this.#parts.confirm(), over)
        this.#setCause(await this.#explain())
      }
      return this.#cause ?? this.#exited(exitCode ?? 0)
    } catch (error) {
      return this.#cause ?? { kind: 'engine-lost', error: engineError('wait for a container', error) }
    } finally {
      clearTimeout(timer)
      lost.removeEventListener('abort', onLost)
      this.#isOver = true
      this.#over.abort()
    }
  }

  async #pump(): Promise<void> {
    const { attached, hooks, marks } = this.#parts
    const output: StartHooks['output'] = (stream, chunk) => hooks.output(stream, chunk)
    if (!marks) {
      await pumpOutput(attached, output)
      return
    }
    await pumpOutput(attached, (stream, chunk) => marks.filter(stream, chunk, output))
    await marks.flush(output)
  }

  /**
   * Called when the output has ended: then either the container or the Engine has ended. If the Engine was killed, the
   * pending `wait` may never settle, so this asks a restarted Engine.
   */
  async #askForExitCode(): Promise<number> {
    for (;;) {
      await delay(ASK_AFTER_MS, undefined, { signal: this.#over.signal })
      const exitCode = await this.#parts.container.exitCode()
      if (exitCode !== undefined) return exitCode
    }
  }

  /** A program that hits a limit often ends before the next check. */
  async #explain(): Promise<ForcedEnding | undefined> {
    const { container, limits } = this.#parts
    if (await container.wasOutOfMemory()) return { kind: 'out-of-memory', limitBytes: limits.memoryBytes }
    const hit = await this.#watch.decide()
    return hit && asEnding(hit)
  }

  #exited(exitCode: number): Ending {
    const { obstacle } = this.#parts
    return obstacle?.exitCodes.has(exitCode)
      ? { kind: 'not-runnable', exitCode, reason: obstacle.reason }
      : { kind: 'exited', exitCode }
  }

  #endForLimit(hit: LimitEnding): void {
    // What cannot be measured cannot be kept within its limits.
    this.#end(asEnding(hit), this.#parts.marks && hit.kind !== 'limits-unknown' ? 'frozen' : 'at once')
  }

  #end(cause: ForcedEnding, how: 'with grace' | 'at once' | 'frozen'): void {
    if (!this.#setCause(cause)) return
    void (how === 'frozen' ? this.#freeze(cause.kind === 'pids-limit') : this.#signal(how))
  }

  /**
   * In a keepable container only. Never rejects.
   *
   * @param killing whether its program has to end first: with all processes in use, no shell could be started
   */
  async #freeze(killing: boolean): Promise<void> {
    const { container, freezer, marks } = this.#parts
    try {
      await container.signal(killing ? 'SIGUSR2' : 'SIGUSR1')
      await this.#withinGrace(marks?.passed ?? Promise.resolve())
      marks?.close()
      await freezer.hold()
      // Its init may be unable to write a mark.
      this.#over.abort()
    } catch {
      await this.#signal('at once')
    }
  }

  /** Returns whether `cause` is the first one of a container that has not ended. */
  #setCause(cause: ForcedEnding | undefined): boolean {
    if (!cause || this.#cause || this.#isOver) return false
    this.#cause = cause
    this.#ending.abort()
    this.#parts.hooks.ending?.(cause)
    return true
  }

  /** Never rejects. */
  async #signal(how: 'with grace' | 'at once'): Promise<void> {
    const { container, freezer } = this.#parts
    await this.#withinGrace(freezer.close())
    if (how === 'with grace') {
      await container.signal('SIGTERM').catch(() => undefined)
      await this.#withinGrace(this.ended)
    }
    if (this.#over.signal.aborted) return
    try {
      await container.signal('SIGKILL')
    } catch {
      // An Engine that cannot end it will not tell of its end either.
      await this.#withinGrace(this.ended)
      this.#over.abort()
    }
  }

  /** Waits until `promise` settles, the grace period is over, or `over` is aborted. */
  async #withinGrace(promise: Promise<unknown>, over = this.#over.signal): Promise<void> {
    const { graceMs = GRACE_MS } = this.#parts
    const done = new AbortController()
    const signal = AbortSignal.any([done.signal, over])
    await Promise.race([promise, delay(graceMs, undefined, { signal })]).catch(() => undefined)
    done.abort()
  }
}

/** Where only the Engine fails, the launch is lost, and not at fault. */
function asEnding(hit: LimitEnding): ForcedEnding {
  return hit.kind === 'limits-unknown' && isEngineFailing(hit.error) ? { kind: 'engine-lost', error: hit.error } : hit
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(messageOf(error))
}

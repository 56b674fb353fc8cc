import type { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { CleanupFailure, CleanupStack } from '../../base/cleanup-stack.js'
import { messageOf } from '../../base/errors.js'
import type { Compressor } from '../archive/compressor.js'
import type { MappedOwners } from '../archive/mapped-owners.js'
import type {
  Ending,
  ForcedEnding,
  LimitEnding,
  RunningContainer as RunningContainerPort,
  SnapshotReport,
  SnapshotRequest,
  StartHooks,
} from '../isolation.js'
import type { Limits } from '../launch-plan.js'
import type { Attached, Container } from './container.js'
import { engineError, isEngineDown } from './engine-errors.js'
import type { Freezer } from './freezer.js'
import { LimitWatch, type LimitProbe } from './limit-watch.js'
import { pumpOutput } from './output-frames.js'
import type { RootDirectories } from './root-directories.js'
import type { Obstacle } from './why-not-runnable.js'
import { takeSnapshot } from '../snapshot/snapshot.js'

/** What snapshots of all containers have in common. */
export interface Snapshotting {
  /** Chosen at the first call. */
  readonly compressor: () => Promise<Compressor>
  /** The files that stagerd puts into each root: content by absolute path. */
  readonly givenFiles: ReadonlyMap<string, string>
}

export interface RunningParts {
  readonly container: Container
  readonly attached: Attached
  readonly limits: Limits
  readonly hooks: Pick<StartHooks, 'output' | 'ending'>
  readonly publishedPorts: readonly number[]
  /** Aborted, with the reason, when the host can no longer isolate the container, or the Engine has ended. */
  readonly lost: AbortSignal
  /** Resolves when `lost` is known to be aborted if the Engine has ended the container by its own end. Never rejects. */
  readonly confirm: () => Promise<void>
  readonly probe: LimitProbe
  /** Shared with `probe`, whose `ownUse` freezes the container too. */
  readonly freezer: Freezer
  readonly root: RootDirectories
  /** What keeps the program from being executed, as far as that is known. */
  readonly obstacle: Obstacle | undefined
  readonly owners: MappedOwners | undefined
  readonly snapshotting: Snapshotting
  /** For tests; by default GRACE_MS, and that of the limit watch. */
  readonly graceMs?: number
  readonly retryMs?: number
}

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
 */
export class RunningContainer implements RunningContainerPort {
  readonly ended: Promise<Ending>
  readonly publishedPorts: readonly number[]
  readonly #parts: RunningParts
  #cause: ForcedEnding | undefined
  #isOver = false
  readonly #ending = new AbortController()
  /** Aborted when nothing more is to be learned of its end. */
  readonly #over = new AbortController()
  readonly #watch: LimitWatch

  /** The time limit of the program begins here. */
  constructor(parts: RunningParts) {
    this.#parts = parts
    this.publishedPorts = parts.publishedPorts
    this.#watch = new LimitWatch(parts.probe, parts.limits, parts.retryMs)
    this.ended = this.#run()
  }

  async input(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const { attached } = this.#parts
    try {
      for await (const chunk of chunks) if (!(await isTaken(attached, chunk))) return
    } finally {
      // Also when the client is lost: nobody else can send the rest, for which the program would wait.
      attached.end()
    }
  }

  stop(): void {
    this.#end({ kind: 'stopped' }, 'with grace')
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
    // Also when its program has ended: a snapshot may still read its files.
    await this.#withinGrace(freezer.close(), new AbortController().signal)
    const failures = await undo.run()
    // Do not wait for pending responses of the Engine.
    this.#over.abort()
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
      if (isEngineDown(error)) this.#end({ kind: 'engine-lost', error }, 'at once')
      throw error
    }
  }

  async #run(): Promise<Ending> {
    const { container, attached, limits, hooks, lost } = this.#parts
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
    const watch = this.#watch
    void watch.untilHit(this.#over.signal).then((ending) => {
      if (ending) this.#endForLimit(ending)
    })
    const output = pumpOutput(attached, (stream, chunk) => hooks.output(stream, chunk))
    // Without a reader, the program would block on a full pipe.
    output.catch((error: unknown) => {
      this.#end({ kind: 'engine-lost', error: asError(error) }, 'at once')
    })
    const waiting = container.wait()
    waiting.catch(() => undefined)
    try {
      // The counters of the cgroup are removed with the container: read them before the Engine removes it.
      await this.#orOver(Promise.race([output, waiting])).catch(() => undefined)
      this.#setCause(await watch.lookAtCounts())
      const exitCode = await this.#orOver(Promise.race([waiting, this.#askForExitCode()]))
      await this.#orOver(output)
      if (exitCode !== 0) {
        await this.#orOver(this.#parts.confirm())
        this.#setCause(await this.#explain())
      }
      return this.#cause ?? this.#exited(exitCode)
    } catch (error) {
      return this.#cause ?? { kind: 'engine-lost', error: engineError('wait for a container', error) }
    } finally {
      clearTimeout(timer)
      lost.removeEventListener('abort', onLost)
      this.#isOver = true
      this.#over.abort()
    }
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
    this.#end(asEnding(hit), 'at once')
  }

  #end(cause: ForcedEnding, how: 'with grace' | 'at once'): void {
    if (this.#setCause(cause)) void this.#signal(how)
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

  /** `promise`, or a rejection when nothing more is to be learned. */
  async #orOver<T>(promise: Promise<T>): Promise<T> {
    const { signal } = this.#over
    let onAbort: (() => void) | undefined
    const over = new Promise<never>((_, reject) => {
      onAbort = () => reject(new Error('nothing more is to be learned of it'))
      signal.addEventListener('abort', onAbort, { once: true })
      if (signal.aborted) onAbort()
    })
    try {
      return await Promise.race([promise, over])
    } finally {
      if (onAbort) signal.removeEventListener('abort', onAbort)
    }
  }
}

/** Where only the Engine does not answer, the launch is lost, and not at fault. */
function asEnding(hit: LimitEnding): ForcedEnding {
  return hit.kind === 'limits-unknown' && isEngineDown(hit.error) ? { kind: 'engine-lost', error: hit.error } : hit
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(messageOf(error))
}

/** False when the connection has ended, with the program. */
function isTaken(attached: Attached, chunk: Uint8Array): Promise<boolean> {
  return new Promise((resolve) => attached.write(chunk, (error) => resolve(!error)))
}

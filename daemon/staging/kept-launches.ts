import type { Logger } from 'pino'
import { formatDuration } from '../../base/duration.js'
import { Conflict, messageOf, NotFound } from '../../base/errors.js'
import type { RunningContainer } from '../../isolation/isolation.js'
import type { KeptContainer, Shell, ShellHooks } from '../../isolation/kept-container.js'
import type { ShellPlan } from '../../isolation/launch-plan.js'
import type { LogWriter } from '../log/log-writer.js'
import type { Staging } from '../model/staging.js'
import { currentStager, stagerFqn } from './plan.js'

/** The container of a failed launch, as users see it. */
export interface KeptLaunch {
  readonly staging: string
  readonly packageFqn: string
  readonly stagerFqn: string
  readonly since: Date
  readonly until: Date
  /** How many are open in it. */
  readonly shells: number
  /** Undefined if it cannot be measured. */
  readonly usedBytes: number | undefined
}

export interface FailedLaunch {
  /** Failed. */
  readonly staging: Staging
  readonly log: Pick<LogWriter, 'message'>
  readonly running: Pick<RunningContainer, 'keep'>
  /** Removes everything of the launch. Idempotent, and never rejects. */
  readonly release: () => Promise<void>
}

export interface OpenShell extends Pick<Shell, 'input' | 'resize' | 'hangUp'> {
  readonly ended: Promise<ShellEnding>
}

export type ShellEnding =
  | { readonly kind: 'exited'; readonly exitCode: number }
  /** One sentence. */
  | { readonly kind: 'gone'; readonly message: string }

/** setTimeout fires at once for a longer delay. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/**
 * The containers of failed launches that users want to look into.
 *
 * INVARIANTS
 * - A container that is kept here is released by nobody else, and released exactly once: after its time, on request, when it
 *   is lost, when a newer one takes its place, or by `stop`.
 * - There are at most as many as the limit. What cannot be kept is released by its launch.
 * - Nothing is kept after `stop`.
 */
export class KeptLaunches {
  readonly #kept = new Map<string, Kept>()
  #stopped = false

  constructor(private readonly parts: { readonly limit: number; readonly logger: Logger }) {}

  /** Returns whether it is kept; then the launch leaves the release to this. Never rejects. */
  async keep(launch: FailedLaunch): Promise<boolean> {
    const { staging, log, running } = launch
    const { keepFailedMs } = staging
    if (keepFailedMs === undefined || this.#isClosed()) return false
    try {
      await this.#makeRoom()
      const kept = new Kept(launch, await running.keep(), keepFailedMs)
      // It may have been stopped meanwhile, or several launches may have failed at once.
      if (this.#isClosed() || this.#kept.size >= this.parts.limit) throw noRoom(this.parts.limit)
      this.#kept.set(staging.uuid, kept)
      kept.timer = setTimeout(
        () => void this.#release(kept, `was released after ${formatDuration(keepFailedMs)}`),
        Math.min(keepFailedMs, LONGEST_TIMER_MS),
      )
      void kept.container.lost.then((reason) => this.#release(kept, `is lost: ${messageOf(reason)}`))
    } catch (error) {
      await log.message(`The container cannot be kept: ${messageOf(error)}`).catch(() => undefined)
      return false
    }
    await log
      .message(
        `The container is kept for ${formatDuration(keepFailedMs)}. ` +
          `To open a shell in it: stagectl staging shell ${staging.uuid}`,
        `To remove it earlier: stagectl staging release ${staging.uuid}`,
      )
      .catch(() => undefined)
    return true
  }

  /** Oldest first. */
  list(): readonly KeptLaunch[] {
    return [...this.#kept.values()].map((kept) => kept.describe())
  }

  of(staging: string): KeptLaunch | undefined {
    return this.#kept.get(staging.toLowerCase())?.describe()
  }

  /** Throws `NotFound` (`not-kept`), and what `KeptContainer.openShell` throws. */
  async openShell(staging: string, plan: ShellPlan, hooks: ShellHooks): Promise<OpenShell> {
    const kept = this.#get(staging)
    kept.shells += 1
    let shell: Shell
    try {
      shell = await kept.container.openShell(plan, hooks)
    } catch (error) {
      kept.shells -= 1
      throw kept.why === undefined ? error : goneError(kept.why)
    }
    const ended = shell.ended.then((exitCode): ShellEnding => {
      kept.shells -= 1
      if (kept.why !== undefined || exitCode === undefined)
        return { kind: 'gone', message: gone(kept.why ?? 'is lost') }
      return { kind: 'exited', exitCode }
    })
    return {
      ended,
      input: (chunks) => shell.input(chunks),
      resize: (size) => shell.resize(size),
      hangUp: () => shell.hangUp(),
    }
  }

  /** Resolves when everything of it has been removed. Throws `NotFound` (`not-kept`). */
  async release(staging: string): Promise<void> {
    await this.#release(this.#get(staging), 'was released on request')
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all([...this.#kept.values()].map((kept) => this.#release(kept, 'is released: stagerd is stopping')))
  }

  #isClosed(): boolean {
    return this.#stopped
  }

  #get(staging: string): Kept {
    const kept = this.#kept.get(staging.toLowerCase())
    if (!kept)
      throw new NotFound(
        'not-kept',
        `No container of staging ${staging} is kept: stage with --keep-failed to keep the next one that fails.`,
      )
    return kept
  }

  /** The oldest one that nobody uses makes room. */
  async #makeRoom(): Promise<void> {
    const { limit } = this.parts
    if (this.#kept.size < limit) return
    const oldest = [...this.#kept.values()].find(({ shells }) => shells === 0)
    if (!oldest) throw noRoom(limit)
    await this.#release(oldest, 'was released to make room for a newer one')
  }

  #release(kept: Kept, why: string): Promise<void> {
    kept.released ??= this.#undo(kept, why)
    return kept.released
  }

  async #undo(kept: Kept, why: string): Promise<void> {
    const { staging } = kept.launch
    kept.why = why
    clearTimeout(kept.timer)
    this.#kept.delete(staging.uuid)
    this.parts.logger.info({ staging: staging.uuid }, `a kept container ${why}`)
    await kept.launch.release()
  }
}

class Kept {
  readonly since = new Date()
  shells = 0
  timer: NodeJS.Timeout | undefined
  /** Set when it is being released: the end of a sentence. */
  why: string | undefined
  released: Promise<void> | undefined

  constructor(
    readonly launch: FailedLaunch,
    readonly container: KeptContainer,
    private readonly forMs: number,
  ) {}

  describe(): KeptLaunch {
    const { staging } = this.launch
    return {
      staging: staging.uuid,
      packageFqn: staging.packageFqn,
      stagerFqn: stagerFqn(currentStager(staging)),
      since: this.since,
      until: new Date(this.since.getTime() + this.forMs),
      shells: this.shells,
      usedBytes: this.container.usedBytes,
    }
  }
}

function gone(why: string): string {
  return `The kept container ${why}.`
}

function goneError(why: string): Conflict {
  return new Conflict('container-ending', gone(why))
}

function noRoom(limit: number): Conflict {
  return new Conflict(
    'too-many-kept',
    limit === 0
      ? 'the setting max-kept of this node is 0.'
      : `this node keeps ${limit} already, and a shell is open in each: release one with 'stagectl staging release'.`,
  )
}

import { Conflict, Fault } from '../../base/errors.js'
import { isTerminal, type Staging } from '../model/staging.js'
import type { LogStore } from '../log/log-store.js'
import type { StagingService } from '../staging/staging-service.js'
import type { Ref } from '../store/repositories.js'
import type { StagingLedger } from '../store/staging-ledger.js'

/** How many of the last lines of a failed build are shown. */
const LAST_LINES = 15

export interface BuildStagingParts {
  readonly stagings: Pick<StagingService, 'submit' | 'cancel'>
  readonly ledger: Pick<StagingLedger, 'get' | 'list'>
  readonly logs: Pick<LogStore, 'follow'>
}

export interface BuildHooks {
  /** Called with the UUID when the staging is known. */
  staging(uuid: string): void
  /** Called with each line of its log. */
  line(text: string): void
}

/** A build ended without a result. */
export class BuildFailed extends Fault {
  constructor(
    message: string,
    readonly lastLines: readonly string[],
  ) {
    super('build-failed', message)
  }
}

/** The bootstrap was cancelled by a user: builds that it has begun are cancelled. */
export class BootstrapCancelled extends Conflict {
  constructor() {
    super('bootstrap-cancelled', 'The bootstrap was cancelled.')
  }
}

/** Stages packages on behalf of a bootstrap. */
export class BuildStaging {
  readonly #parts: BuildStagingParts

  constructor(parts: BuildStagingParts) {
    this.#parts = parts
  }

  /**
   * Stages the package, or waits for the staging that it is in already. Resolves when that has succeeded.
   *
   * Throws `BuildFailed`, and the reason of `signal`. Where that is `BootstrapCancelled`, the staging has been cancelled;
   * otherwise it goes on.
   */
  async run(packageUuid: string, pipeline: Ref, hooks: BuildHooks, signal: AbortSignal): Promise<void> {
    const { stagings, ledger, logs } = this.#parts
    const open = await this.#openStagingOf(packageUuid)
    const { uuid } = open ?? (await stagings.submit({ uuid: packageUuid }, pipeline))
    hooks.staging(uuid)
    const lastLines: string[] = []
    for await (const { text } of logs.follow(uuid, { since: 0, follow: true, signal })) {
      hooks.line(text)
      lastLines.push(text)
      if (lastLines.length > LAST_LINES) lastLines.shift()
    }
    if (signal.aborted) {
      if (signal.reason instanceof BootstrapCancelled) await this.#cancel(uuid)
      throw signal.reason
    }
    const ended = await ledger.get(uuid)
    if (ended.state !== 'succeeded') throw new BuildFailed(messageOfEnd(ended), lastLines)
  }

  async #openStagingOf(packageUuid: string): Promise<Staging | undefined> {
    const [newest] = await this.#parts.ledger.list({ packageUuid, limit: 1 })
    return newest && !isTerminal(newest.state) ? newest : undefined
  }

  /** Resolves when the staging has ended. */
  async #cancel(uuid: string): Promise<void> {
    const { stagings, logs } = this.#parts
    await stagings.cancel(uuid).catch((error: unknown) => {
      if (!(error instanceof Conflict)) throw error
    })
    const signal = AbortSignal.timeout(60_000)
    const lines = logs.follow(uuid, { since: 0, follow: true, signal })
    // Its end is the end of the staging.
    while ((await lines.next()).done !== true);
  }
}

function messageOfEnd({ uuid, state, failure }: Staging): string {
  if (state === 'cancelled') return `Its staging ${uuid} was cancelled.`
  return `${failure?.message ?? 'It failed.'} Its log: stagectl staging logs ${uuid}`
}

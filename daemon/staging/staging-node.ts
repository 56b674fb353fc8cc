import { once } from 'node:events'
import type { Logger } from 'pino'
import { Unavailable } from '../../base/errors.js'
import type { Staging } from '../model/staging.js'
import type { Renewal } from '../store/node-repository.js'
import type { Wakeups } from '../store/wakeups.js'
import { HeldTerm, type TermParts } from './held-term.js'
import type { Janitor } from './janitor.js'
import { retryUntilStopped } from './retry-until-stopped.js'
import { StagingQueue, type WorkOutcome } from './staging-queue.js'
import { StagingRunner, type StagingRunnerParts } from './staging-runner.js'

export interface StagingNodeParts extends Pick<
  StagingRunnerParts,
  'launches' | 'reuse' | 'logs' | 'logger' | 'uploads'
> {
  readonly term: Omit<TermParts, 'logger'>
  readonly wakeups: Wakeups
  readonly janitor: Pick<Janitor, 'sweepOnceEngineIsBack' | 'keepSweeping'>
  readonly logger: Logger
  /** Called when a term was begun, and after each renewal: what other terms have left can be looked for. Must not throw. */
  readonly looked?: () => void
  /** For tests; by default that of the queue. */
  readonly retryMs?: number | undefined
}

interface AtWork {
  readonly term: HeldTerm
  readonly runner: StagingRunner
  /** UUIDs of the stagings of the term, until they have ended. */
  readonly admitted: Set<string>
  /** Whether the term may have others: an admission that was not answered may have been made. */
  isUnsure: boolean
}

const WHEN_STARTED = 'stagerd is stopping; staging continues when it is started again.'
const ELSEWHERE = 'This node has lost its lease; staging continues at the next node that has a free slot.'

/**
 * Runs stagings at this node, one term after the other.
 *
 *   open a term ─ sweep ─ open the queue ──(term lost)── end all launches ─┐
 *        └─────────────────────────────────────────────────────────────────┘
 *
 * Beginning a term gives up what an earlier process of this node has run; so the same way leads there after a crash and after a lost lease.
 * What has no owner comes out of the queue first, here or at another node, and goes on with the launch that was interrupted.
 * Nothing is admitted before leftovers of launches that no process owns are swept. An Engine that is down delays that.
 *
 * INVARIANTS
 * - No two terms of a process overlap: nothing of an earlier one is at work when the next one begins.
 */
export class StagingNode {
  readonly queue: StagingQueue
  readonly #parts: StagingNodeParts
  readonly #stop = new AbortController()
  #atWork: AtWork | undefined
  #working: Promise<void> | undefined
  #ready = false
  /** As it was last learned. */
  #state: Renewal['state'] = 'active'

  constructor(parts: StagingNodeParts, limit: number) {
    this.#parts = parts
    this.queue = new StagingQueue(
      limit,
      { admitNext: () => this.#admitNext(), work: (uuid) => this.#run(uuid) },
      (error) => parts.logger.error({ err: error }, 'no staging can be admitted; the queue tries again'),
      parts.retryMs,
    )
  }

  /** Whether stagings are admitted. */
  get ready(): boolean {
    return this.#ready
  }

  /** The last one that was begun; it may be lost. Undefined before the first one. */
  get term(): Pick<HeldTerm, 'number' | 'lost'> | undefined {
    return this.#atWork?.term
  }

  start(): void {
    this.#working = this.#work().catch((error: unknown) => {
      if (!this.#stop.signal.aborted)
        this.#parts.logger.error({ err: error }, 'recovery failed; no staging is admitted')
    })
  }

  /** Ends running launches; their stagings continue at the next start, or elsewhere. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#working
    await this.queue.close()
    await this.#atWork?.term.close()
  }

  /** To be called when a staging was queued. Others are told if this node does not take it, as when it is full or has no term. */
  queued(staging: Staging): void {
    const { labels } = this.#parts.term.node
    const fits = staging.stagers.every((stager) => (stager.labels ?? []).every((label) => labels.includes(label)))
    if (!fits || !this.queue.admitsAtOnce) this.#parts.wakeups.notify('queued', '')
    this.queue.notify()
  }

  /**
   * Ends a staging that was begun, and whose request is in the ledger: here, or where it runs. One that is cancelled already may still be
   * at work where a term has ended. Returns it as it is then.
   */
  async cancel(staging: Staging): Promise<Staging> {
    const { term, runner } = this.#atWork ?? {}
    if (runner?.cancel(staging.uuid)) return staging
    // It waits to be taken up again: no launch of it is at work.
    if (term && staging.term === term.number) return await term.ledger.cancel(staging.uuid)
    this.#parts.wakeups.notify('cancel', staging.uuid)
    return staging
  }

  async #work(): Promise<void> {
    const { janitor, logger } = this.#parts
    const { signal } = this.#stop
    const ends = this.#listen()
    signal.addEventListener('abort', () => ends.forEach((end) => end()))
    let term = await this.#open()
    await janitor.sweepOnceEngineIsBack(signal)
    void janitor.keepSweeping(signal)
    for (;;) {
      if (term.interrupted > 0) logger.info({ stagings: term.interrupted }, 'interrupted stagings continue')
      this.#ready = true
      this.queue.open()
      await aborted(AbortSignal.any([term.lost, signal]))
      if (signal.aborted) return
      this.#ready = false
      logger.warn({ term: term.number, reason: term.lost.reason as unknown }, 'the lease of this node is lost')
      await this.queue.close()
      term = await this.#open()
      await janitor.sweepOnceEngineIsBack(signal)
    }
  }

  /** Retries until the database answers. Rejects only when the daemon ends. */
  async #open(): Promise<HeldTerm> {
    const { logger } = this.#parts
    const { signal } = this.#stop
    let after = this.#atWork?.term.number
    const term = await retryUntilStopped(
      () => {
        const state = this.queue.held ? 'draining' : 'active'
        return HeldTerm.open({ ...this.#parts.term, logger }, state, this.#learned, after)
      },
      (error) => {
        // A term that was begun although no answer came is no other process's.
        if (error instanceof Unavailable) after = undefined
        logger.error({ err: error }, 'this node cannot begin a term; stagerd tries again')
      },
      signal,
    )
    const runner = new StagingRunner({
      ...this.#parts,
      ledger: term.ledger,
      engineIsBack: (until) => this.#parts.janitor.sweepOnceEngineIsBack(until),
      stop: AbortSignal.any([signal, term.lost]),
      whyStopped: () => (signal.aborted ? WHEN_STARTED : ELSEWHERE),
      leaseLost: (error) => term.lose(error),
    })
    this.#atWork = { term, runner, admitted: new Set(), isUnsure: false }
    this.#parts.looked?.()
    return term
  }

  #listen(): readonly (() => void)[] {
    const { wakeups, term } = this.#parts
    const look = () => void this.#atWork?.term.renew()
    return [
      wakeups.listen('queued', () => this.queue.notify()),
      wakeups.listen('cancel', (staging) => {
        if (staging === undefined) look()
        else this.#atWork?.runner.cancel(staging)
      }),
      wakeups.listen('node', (node) => {
        if (node === undefined || node === term.node.uuid) look()
      }),
    ]
  }

  /** What a renewal tells: polling, behind the wake-ups. */
  readonly #learned = ({ state, cancelled }: Renewal, interrupted: number): void => {
    for (const staging of cancelled) this.#atWork?.runner.cancel(staging)
    if (state !== this.#state) {
      this.#state = state
      if (state === 'draining') this.queue.hold()
      else this.queue.resume()
    }
    this.queue.notify()
    this.#parts.looked?.()
    if (interrupted > 0) this.#parts.wakeups.notify('queued', '')
  }

  async #admitNext(): Promise<Staging | undefined> {
    const atWork = this.#current()
    try {
      const forgotten = atWork.isUnsure ? await findForgotten(atWork) : undefined
      atWork.isUnsure = forgotten !== undefined
      const staging = forgotten ?? (await atWork.term.ledger.admitNext())
      if (staging) atWork.admitted.add(staging.uuid)
      return staging
    } catch (error) {
      atWork.isUnsure = true
      throw error
    }
  }

  async #run(staging: string): Promise<WorkOutcome> {
    const { runner, admitted } = this.#current()
    const outcome = await runner.run(staging)
    if (outcome.kind === 'ended') admitted.delete(staging)
    return outcome
  }

  #current(): AtWork {
    if (!this.#atWork) throw new Error('the queue is open without a term')
    return this.#atWork
  }
}

/** One that the term owns, and that nobody works at. */
async function findForgotten({ term, admitted }: AtWork): Promise<Staging | undefined> {
  const running = await term.ledger.list({ state: 'running' })
  return running.find((one) => one.term === term.number && !admitted.has(one.uuid))
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort')
}

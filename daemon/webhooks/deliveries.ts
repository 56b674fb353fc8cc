import { randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import { NotFound, StagerdError } from '../../base/errors.js'
import type { Staging } from '../model/staging.js'
import type { Delivery, DeliveryOutcome, DeliveryResult, Receiver } from '../model/webhook.js'
import type { OutboundClient } from '../outbound/outbound-client.js'
import type { WebhookSecrets } from '../secrets/webhook-secrets.js'
import type { StagingLedger } from '../store/staging-ledger.js'
import type { WebhookRepository } from '../store/webhook-repository.js'
import { attempt, type AttemptResult, type Message } from './attempt.js'
import { DELIVERY_LIMITS, delayAfter, type DeliveryLimits } from './retries.js'

export interface DeliveriesParts {
  readonly webhooks: WebhookRepository
  readonly ledger: Pick<StagingLedger, 'get'>
  /** The document of a staging. */
  readonly render: (staging: Staging) => object
  readonly client: Pick<OutboundClient, 'request' | 'close'>
  readonly secrets: Pick<WebhookSecrets, 'open'>
  readonly version: string
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>
  /** For metrics: one attempt, and one delivery that has ended. */
  readonly attempted?: (result: AttemptResult['kind']) => void
  readonly ended?: (result: DeliveryResult) => void
  readonly limits?: DeliveryLimits
}

/** How long a pass waits at most for what it may have missed, such as a clock that was set. */
const LONGEST_SLEEP_MS = 60_000

/** After an error of the store. */
const AFTER_ERROR_MS = 5_000

/** It may come back: the key is a file. */
const KEY_LOST: AttemptResult = {
  kind: 'failed',
  message:
    'The secret was sealed with another key, as after a restore to another node: remove the webhook, and add it again.',
}

/**
 * Delivers what the ends of stagings have recorded; see webhook-repository.ts.
 *
 * INVARIANTS
 * - An attempt is recorded before it is made, with the time of the next one. So a delivery that was under way when the
 *   daemon died is made again then, with the same ID, and no crash repeats one in a circle.
 * - A delivery that is under way is not due, because that time is later than the end of the attempt.
 * - Nothing waits for a receiver but the attempts of its lane, of which there are `atOnce`. Those of the lanes of calls share
 *   `callsAtOnce`, too, because there is no limit to the number of namespaces.
 *
 * LIFECYCLE: `start` once; `stop` ends attempts, in any state, and is idempotent. `wake` may be called at any time.
 */
export class Deliveries {
  readonly #parts: DeliveriesParts
  readonly #limits: DeliveryLimits
  readonly #stop = new AbortController()
  /** By their lane. */
  readonly #underWay = new Map<string, Set<Promise<void>>>()
  #timer: NodeJS.Timeout | undefined
  #pass: Promise<void> | undefined
  #again = false
  #started = false

  constructor(parts: DeliveriesParts) {
    this.#parts = parts
    this.#limits = parts.limits ?? DELIVERY_LIMITS
  }

  start(): void {
    this.#started = true
    this.wake()
  }

  /** A staging has ended, perhaps. Does not throw. */
  wake(): void {
    if (!this.#started || this.#stop.signal.aborted) return
    if (this.#pass) {
      this.#again = true
      return
    }
    clearTimeout(this.#timer)
    this.#pass = this.#run().finally(() => {
      this.#pass = undefined
      if (!this.#again) return
      this.#again = false
      this.wake()
    })
  }

  /** Does not wait for receivers. What was under way is made again at the next start. */
  async stop(): Promise<void> {
    this.#stop.abort()
    clearTimeout(this.#timer)
    await this.#pass
    await Promise.all([...this.#underWay.values()].flatMap((all) => [...all]))
    await this.#parts.client.close()
  }

  /** Sends something now, which is not recorded. Throws `NotFound` (`webhook-not-found`). */
  async ping(uuid: string): Promise<AttemptResult> {
    const target = await this.#parts.webhooks.target(uuid)
    const timestamp = new Date().toISOString()
    const body = JSON.stringify({ type: 'ping', timestamp, data: { webhook: target.uuid } })
    return await this.#send(target, { id: `msg_${randomUUID().replaceAll('-', '')}`, body })
  }

  async #run(): Promise<void> {
    try {
      await this.#dropOld()
      // One time for both questions: what becomes due between two of them would be in neither answer.
      const time = new Date(Date.now() - this.#limits.settleMs)
      for (const delivery of await this.#parts.webhooks.due(time, this.#limits.atOnce)) {
        const { lane } = delivery
        const others = this.#underWay.get(lane) ?? new Set()
        if (others.size >= this.#limits.atOnce || this.#isFull(lane) || this.#stop.signal.aborted) continue
        if (!(await this.#begin(delivery))) continue
        this.#underWay.set(lane, others)
        const made = this.#deliver(delivery)
          .catch((error: unknown) => this.#failed(error))
          .finally(() => {
            others.delete(made)
            if (others.size === 0) this.#underWay.delete(lane)
            this.wake()
          })
        others.add(made)
      }
      const next = await this.#parts.webhooks.nextDue(time)
      this.#sleep(next ? next.getTime() + this.#limits.settleMs - Date.now() : LONGEST_SLEEP_MS)
    } catch (error) {
      this.#failed(error)
      this.#sleep(AFTER_ERROR_MS)
    }
  }

  #isFull(lane: string): boolean {
    if (!isOfCalls(lane)) return false
    const underWay = [...this.#underWay].filter(([name]) => isOfCalls(name)).reduce((sum, [, all]) => sum + all.size, 0)
    return underWay >= this.#limits.callsAtOnce
  }

  #sleep(milliseconds: number): void {
    clearTimeout(this.#timer)
    if (this.#stop.signal.aborted) return
    this.#timer = setTimeout(() => this.wake(), Math.max(1, Math.min(milliseconds, LONGEST_SLEEP_MS)))
    this.#timer.unref()
  }

  /** Later than the end of the attempt in any case. */
  async #begin({ id, attempts }: Delivery): Promise<boolean> {
    const { attemptMs, delaysMs } = this.#limits
    return await this.#parts.webhooks.begin({ id, attempts }, after(2 * attemptMs + (delaysMs[attempts] ?? 0)))
  }

  async #deliver({ attempts: before, ...delivery }: Delivery): Promise<void> {
    const { webhooks, logger, ended } = this.#parts
    const attempts = before + 1
    const message = await this.#message(delivery)
    const sent: AttemptResult = message
      ? await this.#send(delivery.webhook, message)
      : { kind: 'refused', message: 'The staging is not stored any more.' }
    // The next start makes it again.
    if (this.#stop.signal.aborted && sent.kind !== 'delivered') return
    const delay = sent.kind === 'failed' ? delayAfter(attempts, this.#limits, sent.retryAfterMs) : undefined
    const result = resultOf(sent, delay)
    const outcome: DeliveryOutcome = {
      ...{ result, staging: delivery.staging, at: new Date().toISOString(), attempts, message: sent.message },
    }
    await webhooks.settle(delivery, outcome, delay === undefined ? undefined : after(delay))
    if (result === 'waiting') return
    ended?.(result)
    if (result !== 'delivered')
      logger.warn(
        { webhook: delivery.webhook.uuid, staging: delivery.staging, attempts, why: sent.message },
        'a webhook was not told of the end of a staging',
      )
  }

  async #message({ id, staging }: Pick<Delivery, 'id' | 'staging'>): Promise<Message | undefined> {
    const { ledger, render } = this.#parts
    try {
      const found = await ledger.get(staging)
      return { id, body: JSON.stringify({ type: 'staging.ended', timestamp: found.endedAt, data: render(found) }) }
    } catch (error) {
      // A restore may have taken it away.
      if (error instanceof NotFound) return undefined
      throw error
    }
  }

  async #send({ uuid, url, sealed }: Receiver, message: Message): Promise<AttemptResult> {
    const { client, version, attempted } = this.#parts
    const secret = this.#open(uuid, sealed)
    const options = { timeoutMs: this.#limits.attemptMs, stop: this.#stop.signal, userAgent: `stagerd/${version}` }
    const result: AttemptResult =
      secret === undefined ? KEY_LOST : await attempt(client, { url, secret }, message, options)
    attempted?.(result.kind)
    return result
  }

  /** Undefined if it cannot be opened. */
  #open(uuid: string, sealed: string): string | undefined {
    try {
      return this.#parts.secrets.open(uuid, sealed)
    } catch (error) {
      if (error instanceof StagerdError) return undefined
      throw error
    }
  }

  async #dropOld(): Promise<void> {
    const { webhooks, logger, ended } = this.#parts
    const { ageMs, waiting } = this.#limits
    for (const { webhook, staging, attempts } of await webhooks.drop({ oldest: after(-ageMs), waiting })) {
      ended?.('dropped')
      logger.warn(
        { webhook, staging, attempts },
        'a delivery to a webhook was dropped: it was too old, or too many were waiting',
      )
    }
  }

  #failed(error: unknown): void {
    if (!this.#stop.signal.aborted) this.#parts.logger.error({ err: error }, 'deliveries to webhooks cannot go on')
  }
}

function after(milliseconds: number): Date {
  return new Date(Date.now() + milliseconds)
}

/** A namespace, not a UUID. */
function isOfCalls(lane: string): boolean {
  return lane.startsWith('/')
}

function resultOf({ kind }: AttemptResult, delay: number | undefined): DeliveryResult {
  switch (kind) {
    case 'delivered':
    case 'refused':
      return kind
    case 'failed':
      return delay === undefined ? 'given-up' : 'waiting'
  }
}

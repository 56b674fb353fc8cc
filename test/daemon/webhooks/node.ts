import { randomBytes, randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import { onTestFinished } from 'vitest'
import type { Receiver, WebhookState } from '../../../daemon/model/webhook.js'
import { OutboundClient } from '../../../daemon/outbound/outbound-client.js'
import { Seal } from '../../../daemon/secrets/seal.js'
import { WebhookSecrets } from '../../../daemon/secrets/webhook-secrets.js'
import { parseNetworks } from '../../../daemon/settings/parse-networks.js'
import { SqliteStore } from '../../../daemon/store/sqlite/store.js'
import { Deliveries } from '../../../daemon/webhooks/deliveries.js'
import { DELIVERY_LIMITS, type DeliveryLimits } from '../../../daemon/webhooks/retries.js'
import { makeWebhookSecret } from '../../../daemon/webhooks/signature.js'
import { ledgerSamples } from '../metrics/ledger-samples.js'
import { temporaryDirectory } from '../store/temporary-directory.js'

export const PIPELINE = 'stagpipe::/acme::p'
export const QUICK = { ...DELIVERY_LIMITS, settleMs: 0, delaysMs: [1, 1, 1] }
export const SLOW = { ...QUICK, delaysMs: [60_000] }
const ALL = ['succeeded', 'failed', 'cancelled'] as const

/** A node with a store on disk, whose daemon can die and start again. */
export class Node {
  readonly ended: string[] = []
  readonly logged: string[] = []
  /** That of the next start. */
  key: Buffer = randomBytes(32)
  #running: { readonly store: SqliteStore; readonly deliveries: Deliveries } | undefined

  private constructor(
    readonly directory: string,
    private readonly networks: string,
  ) {}

  static async open(limits: DeliveryLimits = QUICK, networks = '127.0.0.0/8'): Promise<Node> {
    const { path } = await temporaryDirectory()
    const node = new Node(path, networks)
    onTestFinished(async () => {
      await node.stop()
      await rm(path, { recursive: true })
    })
    node.start(limits)
    return node
  }

  start(limits: DeliveryLimits = QUICK): void {
    const store = SqliteStore.open(join(this.directory, 'stagerd.db'))
    const deliveries = new Deliveries({
      webhooks: store.webhooks,
      ledger: store.ledger,
      render: ({ uuid, state, packageFqn }) => ({ uuid, state, package: packageFqn }),
      secrets: this.secrets,
      client: new OutboundClient({ networks: parseNetworks(this.networks), setting: 'webhook-networks' }),
      version: '1.2.3',
      logger: pino({ level: 'trace' }, { write: (line: string) => void this.logged.push(line) }),
      ended: (result) => void this.ended.push(result),
      limits,
    })
    deliveries.start()
    this.#running = { store, deliveries }
  }

  async stop(): Promise<void> {
    await this.#running?.deliveries.stop()
    this.#running?.store.close()
    this.#running = undefined
  }

  /** What a daemon leaves that is killed now: its connections end, and its database stays as it is. */
  async die(): Promise<void> {
    const { store } = this
    store.close()
    await this.#running?.deliveries.stop()
    this.#running = undefined
  }

  get store(): SqliteStore {
    return this.running.store
  }

  get deliveries(): Deliveries {
    return this.running.deliveries
  }

  get samples() {
    return this.samplesOf([])
  }

  /** Stagings whose calls name these receivers. */
  samplesOf(notify: readonly Receiver[], namespace?: string) {
    return ledgerSamples(this.store, () => this.deliveries.wake(), {
      notify,
      ...(namespace === undefined ? {} : { namespace }),
    })
  }

  get secrets(): WebhookSecrets {
    return new WebhookSecrets(new Seal(this.key))
  }

  /** As the call of a staging names it, or as a part of a webhook of a namespace. */
  receiver(url: string, secret = makeWebhookSecret()): Receiver {
    const uuid = randomUUID()
    return { uuid, url, sealed: this.secrets.close(uuid, secret) }
  }

  async add(url: string, namespace = '/', on: readonly WebhookState[] = ALL) {
    const secret = makeWebhookSecret()
    const { uuid, ...receiver } = this.receiver(url, secret)
    await this.store.webhooks.create({ uuid, ...receiver, namespace, on, createdAt: '2026-01-01T00:00:00Z' })
    return { uuid, secret, last: async () => (await this.store.webhooks.get(uuid)).last }
  }

  private get running() {
    if (!this.#running) throw new Error('the daemon is not running')
    return this.#running
  }
}

import { Conflict } from '../../../base/errors.js'
import type { Delivery, DeliveryOutcome, Receiver, Webhook, WebhookState } from '../../model/webhook.js'
import { webhookNotFound } from '../not-found.js'
import type { DeliveryBounds, Dropped, WebhookRepository } from '../webhook-repository.js'
import { insertWebhook } from '../sql/webhook-rows.js'
import type { StagerdDatabase } from './database.js'
import { doInside } from './transactions.js'

interface WebhookRow {
  readonly uuid: string
  readonly namespace: string
  readonly staging: string | null
  readonly url: string
  readonly states: string
  readonly secret: string
  readonly created_at: string
  readonly last: string | null
  readonly waiting: number
}

interface DeliveryRow {
  readonly id: string
  readonly staging: string
  readonly attempts: number
  readonly created_at: string
  readonly webhook: string
  readonly lane: string
  readonly url: string
  readonly secret: string
}

/** Of namespaces. Each of them is asked at the end of a staging, and may hold two connections. */
const MAX_WEBHOOKS = { namespace: 20, node: 200 }

const SELECT =
  'SELECT *, (SELECT count(*) FROM webhook_deliveries WHERE webhook = webhooks.uuid) AS waiting FROM webhooks'

/** The lanes that have deliveries, by one search in an index each. */
const LANES = `WITH RECURSIVE lanes (name) AS (
  SELECT min(lane) FROM webhook_deliveries
  UNION ALL
  SELECT (SELECT min(lane) FROM webhook_deliveries WHERE lane > name) FROM lanes WHERE name IS NOT NULL)`

export class SqliteWebhooks implements WebhookRepository {
  readonly #database: StagerdDatabase

  constructor(database: StagerdDatabase) {
    this.#database = database
  }

  create(webhook: Receiver & Pick<Webhook, 'namespace' | 'on' | 'createdAt'>): Promise<Webhook> {
    return this.#database.write(() => {
      this.#assertRoom(webhook.namespace)
      doInside(this.#database, insertWebhook({ ...webhook, staging: undefined }))
      return decode(this.#row(webhook.uuid))
    })
  }

  list(staging?: string): Promise<readonly Webhook[]> {
    return this.#database.read(() =>
      this.#database
        .statement<WebhookRow>(`${SELECT} WHERE staging IS ? ORDER BY created_at, uuid`)
        .all(staging ?? null)
        .map(decode),
    )
  }

  get(uuid: string): Promise<Webhook> {
    return this.#database.read(() => decode(this.#row(uuid)))
  }

  target(uuid: string): Promise<Receiver> {
    return this.#database.read(() => {
      const { url, secret: sealed, ...row } = this.#row(uuid)
      return { uuid: row.uuid, url, sealed }
    })
  }

  delete(uuid: string): Promise<Webhook> {
    return this.#database.write(() => {
      const found = this.#row(uuid)
      this.#database.statement('DELETE FROM webhooks WHERE uuid = ?').run(found.uuid)
      return decode(found)
    })
  }

  sealAll(seal: (uuid: string, secret: string) => string): Promise<void> {
    return this.#database.write(() => {
      const plain = this.#database
        .statement<Pick<WebhookRow, 'uuid' | 'secret'>>("SELECT uuid, secret FROM webhooks WHERE secret GLOB 'whsec_*'")
        .all()
      if (plain.length === 0) return
      // What is replaced is overwritten.
      this.#database.statement('PRAGMA secure_delete = ON').all()
      for (const { uuid, secret } of plain)
        this.#database.statement('UPDATE webhooks SET secret = ? WHERE uuid = ?').run(seal(uuid, secret), uuid)
      this.#database.statement('PRAGMA secure_delete = OFF').all()
    })
  }

  due(time: Date, each: number): Promise<readonly Delivery[]> {
    return this.#database.read(() =>
      this.#database
        .statement<DeliveryRow>(
          // Thousands may be due for a receiver that does not answer; each lane costs one search in an index. CROSS keeps
          // the order of the tables.
          `${LANES}
           SELECT id, lane, deliveries.staging, attempts, deliveries.created_at, webhook, url, secret
           FROM lanes CROSS JOIN webhook_deliveries AS deliveries CROSS JOIN webhooks ON webhooks.uuid = webhook
           WHERE sequence IN (
             SELECT sequence FROM webhook_deliveries WHERE lane = lanes.name AND due_at <= ? ORDER BY due_at LIMIT ?)
           ORDER BY sequence`,
        )
        .all(time.toISOString(), each)
        .map(({ id, lane, staging, attempts, created_at, webhook: uuid, url, secret: sealed }) => ({
          ...{ id, lane, staging, attempts },
          createdAt: created_at,
          webhook: { uuid, url, sealed },
        })),
    )
  }

  nextDue(time: Date): Promise<Date | undefined> {
    return this.#database.read(() => {
      const next = this.#database
        .statement<{ at: string | null }>('SELECT min(due_at) AS at FROM webhook_deliveries WHERE due_at > ?')
        .get(time.toISOString())?.at
      return next == null ? undefined : new Date(next)
    })
  }

  begin(id: string, dueAt: Date): Promise<void> {
    return this.#database.write(() => {
      this.#database
        .statement('UPDATE webhook_deliveries SET attempts = attempts + 1, due_at = ? WHERE id = ?')
        .run(dueAt.toISOString(), id)
    })
  }

  settle({ id, webhook }: Pick<Delivery, 'id' | 'webhook'>, outcome: DeliveryOutcome, dueAt?: Date): Promise<void> {
    return this.#database.write(() => {
      this.#tell(webhook.uuid, outcome)
      if (dueAt !== undefined) {
        this.#database.statement('UPDATE webhook_deliveries SET due_at = ? WHERE id = ?').run(dueAt.toISOString(), id)
        return
      }
      this.#database.statement('DELETE FROM webhook_deliveries WHERE id = ?').run(id)
      if (outcome.result === 'delivered')
        this.#database.statement('DELETE FROM webhooks WHERE uuid = ? AND staging IS NOT NULL').run(webhook.uuid)
    })
  }

  drop({ oldest, waiting }: DeliveryBounds): Promise<readonly Dropped[]> {
    return this.#database.write(() => {
      const dropped = this.#database
        .statement<Dropped>(
          `${LANES}
           DELETE FROM webhook_deliveries WHERE created_at < ? OR sequence IN (
             SELECT sequence FROM lanes CROSS JOIN webhook_deliveries
             WHERE sequence IN (
               SELECT sequence FROM webhook_deliveries
               WHERE lane = lanes.name ORDER BY sequence DESC LIMIT -1 OFFSET ?))
           RETURNING id, webhook, staging, attempts`,
        )
        .all(oldest.toISOString(), waiting)
      const at = new Date().toISOString()
      const message = 'It was too old, or too many were waiting.'
      for (const { webhook, staging, attempts } of dropped)
        this.#tell(webhook, { result: 'dropped', staging, at, attempts, message })
      return dropped
    })
  }

  waiting(): Promise<number> {
    return this.#database.read(() => this.#count('SELECT count(*) AS n FROM webhook_deliveries'))
  }

  #tell(webhook: string, outcome: DeliveryOutcome): void {
    this.#database.statement('UPDATE webhooks SET last = ? WHERE uuid = ?').run(JSON.stringify(outcome), webhook)
  }

  #assertRoom(namespace: string): void {
    const standing = 'SELECT count(*) AS n FROM webhooks WHERE staging IS NULL'
    if (this.#count(`${standing} AND namespace = ?`, namespace) >= MAX_WEBHOOKS.namespace)
      throw tooMany(`${namespace} has`, MAX_WEBHOOKS.namespace)
    if (this.#count(standing) >= MAX_WEBHOOKS.node) throw tooMany('This node has', MAX_WEBHOOKS.node)
  }

  #count(sql: string, ...values: readonly string[]): number {
    return this.#database.statement<{ n: number }>(sql).get(...values)?.n ?? 0
  }

  /** Throws `NotFound` (`webhook-not-found`). */
  #row(uuid: string): WebhookRow {
    const row = this.#database.statement<WebhookRow>(`${SELECT} WHERE uuid = ?`).get(uuid.toLowerCase())
    if (!row) throw webhookNotFound(uuid)
    return row
  }
}

function decode({ uuid, namespace, staging, url, states, created_at, last, waiting }: WebhookRow): Webhook {
  return {
    uuid,
    namespace,
    staging: staging ?? undefined,
    url,
    // Only `create` and `#tell` write these two.
    on: JSON.parse(states) as WebhookState[],
    last: last === null ? undefined : (JSON.parse(last) as DeliveryOutcome),
    createdAt: created_at,
    waiting,
  }
}

function tooMany(who: string, limit: number): Conflict {
  return new Conflict('too-many-webhooks', `${who} ${limit} webhooks already, which is the limit: remove one first.`)
}

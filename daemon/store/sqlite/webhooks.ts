import { randomUUID } from 'node:crypto'
import { Conflict } from '../../../base/errors.js'
import type { Delivery, DeliveryOutcome, Webhook, WebhookState } from '../../model/webhook.js'
import { webhookNotFound } from '../not-found.js'
import type { DeliveryBounds, Dropped, WebhookRepository } from '../webhook-repository.js'
import type { StagerdDatabase } from './database.js'

interface WebhookRow {
  readonly uuid: string
  readonly namespace: string
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
  readonly url: string
  readonly secret: string
}

/** Each of them is asked at the end of a staging, and may hold two connections. */
const MAX_WEBHOOKS = { namespace: 20, node: 200 }

const SELECT =
  'SELECT *, (SELECT count(*) FROM webhook_deliveries WHERE webhook = webhooks.uuid) AS waiting FROM webhooks'

export class SqliteWebhooks implements WebhookRepository {
  readonly #database: StagerdDatabase

  constructor(database: StagerdDatabase) {
    this.#database = database
  }

  create(webhook: Pick<Webhook, 'namespace' | 'url' | 'on' | 'createdAt'>, secret: string): Promise<Webhook> {
    return this.#database.write(() => {
      const { namespace, url, on, createdAt } = webhook
      this.#assertRoom(namespace)
      const uuid = randomUUID()
      this.#database
        .statement('INSERT INTO webhooks (uuid, namespace, url, states, secret, created_at) VALUES (?, ?, ?, ?, ?, ?)')
        .run(uuid, namespace, url, JSON.stringify(on), secret, createdAt)
      return decode(this.#row(uuid))
    })
  }

  list(): Promise<readonly Webhook[]> {
    return this.#database.read(() =>
      this.#database.statement<WebhookRow>(`${SELECT} ORDER BY created_at, uuid`).all().map(decode),
    )
  }

  get(uuid: string): Promise<Webhook> {
    return this.#database.read(() => decode(this.#row(uuid)))
  }

  target(uuid: string): Promise<Delivery['webhook']> {
    return this.#database.read(() => {
      const { url, secret } = this.#row(uuid)
      return { uuid, url, secret }
    })
  }

  delete(uuid: string): Promise<Webhook> {
    return this.#database.write(() => {
      const found = this.#row(uuid)
      this.#database.statement('DELETE FROM webhooks WHERE uuid = ?').run(found.uuid)
      return decode(found)
    })
  }

  due(time: Date, each: number): Promise<readonly Delivery[]> {
    return this.#database.read(() =>
      this.#database
        .statement<DeliveryRow>(
          // Thousands may be due for a receiver that does not answer; each webhook costs one search in an index. CROSS
          // keeps the order of the tables.
          `SELECT id, staging, attempts, webhook_deliveries.created_at, webhook, url, secret
           FROM webhooks CROSS JOIN webhook_deliveries ON webhook = webhooks.uuid
           WHERE sequence IN (
             SELECT sequence FROM webhook_deliveries
             WHERE webhook = webhooks.uuid AND due_at <= ? ORDER BY due_at LIMIT ?)
           ORDER BY sequence`,
        )
        .all(time.toISOString(), each)
        .map(({ id, staging, attempts, created_at, webhook: uuid, url, secret }) => ({
          ...{ id, staging, attempts },
          createdAt: created_at,
          webhook: { uuid, url, secret },
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
      if (dueAt === undefined) this.#database.statement('DELETE FROM webhook_deliveries WHERE id = ?').run(id)
      else
        this.#database.statement('UPDATE webhook_deliveries SET due_at = ? WHERE id = ?').run(dueAt.toISOString(), id)
    })
  }

  drop({ oldest, waiting }: DeliveryBounds): Promise<readonly Dropped[]> {
    return this.#database.write(() => {
      const dropped = this.#database
        .statement<Dropped>(
          `DELETE FROM webhook_deliveries WHERE created_at < ? OR sequence IN (
             SELECT sequence FROM webhooks CROSS JOIN webhook_deliveries ON webhook = webhooks.uuid
             WHERE sequence IN (
               SELECT sequence FROM webhook_deliveries
               WHERE webhook = webhooks.uuid ORDER BY sequence DESC LIMIT -1 OFFSET ?))
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
    if (this.#count('SELECT count(*) AS n FROM webhooks WHERE namespace = ?', namespace) >= MAX_WEBHOOKS.namespace)
      throw tooMany(`${namespace} has`, MAX_WEBHOOKS.namespace)
    if (this.#count('SELECT count(*) AS n FROM webhooks') >= MAX_WEBHOOKS.node)
      throw tooMany('This node has', MAX_WEBHOOKS.node)
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

function decode({ uuid, namespace, url, states, created_at, last, waiting }: WebhookRow): Webhook {
  return {
    uuid,
    namespace,
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

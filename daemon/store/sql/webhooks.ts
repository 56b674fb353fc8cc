import { Conflict } from '../../../base/errors.js'
import type { Delivery, DeliveryOutcome, Receiver, Webhook, WebhookState } from '../../model/webhook.js'
import { webhookNotFound } from '../not-found.js'
import type { DeliveryBounds, Dropped, WebhookRepository } from '../webhook-repository.js'
import type { Dialect } from './dialect.js'
import { insertWebhook } from './webhook-rows.js'
import { sql, type Transactions, type Work } from './work.js'

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
  readonly sequence: number
  readonly id: string
  readonly staging: string
  readonly attempts: number
  readonly created_at: string
  readonly webhook: string
  readonly lane: string
  readonly url: string
  readonly secret: string
}

/** Deliveries that are more than are kept. */
type Excess = readonly [where: string, ...values: readonly (string | number)[]]

/** Of namespaces. Each of them is asked at the end of a staging, and may hold two connections. */
const MAX_WEBHOOKS = { namespace: 20, all: 200 }

const SELECT =
  'SELECT *, (SELECT count(*) FROM webhook_deliveries WHERE webhook = webhooks.uuid) AS waiting FROM webhooks'

/** The lanes that have deliveries, by one search in an index each. */
const LANES = `WITH RECURSIVE lanes (name) AS (
  SELECT min(lane) FROM webhook_deliveries
  UNION ALL
  SELECT (SELECT min(lane) FROM webhook_deliveries WHERE lane > name) FROM lanes WHERE name IS NOT NULL)
SELECT name FROM lanes WHERE name IS NOT NULL`

export class SqlWebhooks implements WebhookRepository {
  readonly #transactions: Transactions
  readonly #dialect: Pick<Dialect, 'overwriting'>

  constructor(transactions: Transactions, dialect: Pick<Dialect, 'overwriting'>) {
    this.#transactions = transactions
    this.#dialect = dialect
  }

  create(webhook: Receiver & Pick<Webhook, 'namespace' | 'on' | 'createdAt'>): Promise<Webhook> {
    return this.#transactions.write(function* () {
      yield* this.#assertRoom(webhook.namespace)
      yield* insertWebhook({ ...webhook, staging: undefined })
      return decode(yield* this.#row(webhook.uuid))
    }, this)
  }

  list(staging?: string): Promise<readonly Webhook[]> {
    return this.#transactions.read(function* () {
      const rows = yield* sql.all<WebhookRow>(
        `${SELECT} WHERE ${staging === undefined ? 'staging IS NULL' : 'staging = ?'} ORDER BY created_at, uuid`,
        ...(staging === undefined ? [] : [staging]),
      )
      return rows.map(decode)
    })
  }

  get(uuid: string): Promise<Webhook> {
    return this.#transactions.read(function* () {
      return decode(yield* this.#row(uuid))
    }, this)
  }

  target(uuid: string): Promise<Receiver> {
    return this.#transactions.read(function* () {
      const { url, secret: sealed, ...row } = yield* this.#row(uuid)
      return { uuid: row.uuid, url, sealed }
    }, this)
  }

  delete(uuid: string): Promise<Webhook> {
    return this.#transactions.write(function* () {
      const found = yield* this.#row(uuid)
      yield* sql.run('DELETE FROM webhooks WHERE uuid = ?', found.uuid)
      return decode(found)
    }, this)
  }

  sealAll(seal: (uuid: string, secret: string) => string): Promise<void> {
    return this.#transactions.write(function* () {
      const plain = yield* sql.all<Pick<WebhookRow, 'uuid' | 'secret'>>(
        "SELECT uuid, secret FROM webhooks WHERE substr(secret, 1, 6) = 'whsec_'",
      )
      if (plain.length === 0) return
      yield* this.#dialect.overwriting(function* () {
        for (const { uuid, secret } of plain)
          yield* sql.run('UPDATE webhooks SET secret = ? WHERE uuid = ?', seal(uuid, secret), uuid)
      })
    }, this)
  }

  due(time: Date, each: number): Promise<readonly Delivery[]> {
    return this.#transactions.read(function* () {
      const found: DeliveryRow[] = []
      // Thousands may be due for a receiver that does not answer; each lane costs one search in an index.
      for (const { name } of yield* sql.all<{ name: string }>(LANES))
        found.push(
          ...(yield* sql.all<DeliveryRow>(
            `SELECT sequence, id, lane, deliveries.staging, attempts, deliveries.created_at, webhook, url, secret
             FROM (SELECT * FROM webhook_deliveries WHERE lane = ? AND due_at <= ? ORDER BY due_at LIMIT ?) AS deliveries
             JOIN webhooks ON webhooks.uuid = webhook`,
            ...[name, time.toISOString(), each],
          )),
        )
      return found
        .sort((a, b) => a.sequence - b.sequence)
        .map(({ id, lane, staging, attempts, created_at, webhook: uuid, url, secret: sealed }) => ({
          ...{ id, lane, staging, attempts },
          createdAt: created_at,
          webhook: { uuid, url, sealed },
        }))
    })
  }

  nextDue(time: Date): Promise<Date | undefined> {
    return this.#transactions.read(function* () {
      const row = yield* sql.one<{ next: string | null }>(
        'SELECT min(due_at) AS next FROM webhook_deliveries WHERE due_at > ?',
        time.toISOString(),
      )
      return row?.next == null ? undefined : new Date(row.next)
    })
  }

  begin({ id, attempts }: Pick<Delivery, 'id' | 'attempts'>, dueAt: Date): Promise<boolean> {
    return this.#transactions.write(function* () {
      const begun = yield* sql.run(
        'UPDATE webhook_deliveries SET attempts = attempts + 1, due_at = ? WHERE id = ? AND attempts = ?',
        ...[dueAt.toISOString(), id, attempts],
      )
      return begun === 1
    })
  }

  settle({ id, webhook }: Pick<Delivery, 'id' | 'webhook'>, outcome: DeliveryOutcome, dueAt?: Date): Promise<void> {
    return this.#transactions.write(function* () {
      yield* tell(webhook.uuid, outcome)
      if (dueAt !== undefined) {
        yield* sql.run('UPDATE webhook_deliveries SET due_at = ? WHERE id = ?', dueAt.toISOString(), id)
        return
      }
      yield* sql.run('DELETE FROM webhook_deliveries WHERE id = ?', id)
      if (outcome.result === 'delivered')
        yield* sql.run('DELETE FROM webhooks WHERE uuid = ? AND staging IS NOT NULL', webhook.uuid)
    })
  }

  async drop(bounds: DeliveryBounds): Promise<readonly Dropped[]> {
    // Almost always there is nothing: a transaction that writes would meet each one that ends a staging.
    if ((await this.#transactions.read(() => this.#excess(bounds))).length === 0) return []
    return await this.#transactions.write(function* () {
      const all: Dropped[] = []
      for (const [where, ...values] of yield* this.#excess(bounds))
        all.push(
          ...(yield* sql.all<Dropped>(
            `DELETE FROM webhook_deliveries WHERE ${where} RETURNING id, webhook, staging, attempts`,
            ...values,
          )),
        )
      const at = new Date().toISOString()
      const message = 'It was too old, or too many were waiting.'
      for (const { webhook, staging, attempts } of all)
        yield* tell(webhook, { result: 'dropped', staging, at, attempts, message })
      return all
    }, this)
  }

  waiting(): Promise<number> {
    return this.#transactions.read(() => count('SELECT count(*) AS n FROM webhook_deliveries'))
  }

  *#excess({ oldest, waiting }: DeliveryBounds): Work<readonly Excess[]> {
    const before = oldest.toISOString()
    const excess: Excess[] = []
    if (yield* sql.one('SELECT 1 FROM webhook_deliveries WHERE created_at < ? LIMIT 1', before))
      excess.push(['created_at < ?', before])
    for (const { name } of yield* sql.all<{ name: string }>(LANES)) {
      const newest = yield* sql.one<{ sequence: number }>(
        'SELECT sequence FROM webhook_deliveries WHERE lane = ? ORDER BY sequence DESC LIMIT 1 OFFSET ?',
        ...[name, waiting],
      )
      if (newest) excess.push(['lane = ? AND sequence <= ?', name, newest.sequence])
    }
    return excess
  }

  *#assertRoom(namespace: string): Work<void> {
    const standing = 'SELECT count(*) AS n FROM webhooks WHERE staging IS NULL'
    if ((yield* count(`${standing} AND namespace = ?`, namespace)) >= MAX_WEBHOOKS.namespace)
      throw tooMany(`${namespace} has`, MAX_WEBHOOKS.namespace)
    if ((yield* count(standing)) >= MAX_WEBHOOKS.all) throw tooMany('All namespaces together have', MAX_WEBHOOKS.all)
  }

  /** Throws `NotFound` (`webhook-not-found`). */
  *#row(uuid: string): Work<WebhookRow> {
    const row = yield* sql.one<WebhookRow>(`${SELECT} WHERE uuid = ?`, uuid.toLowerCase())
    if (!row) throw webhookNotFound(uuid)
    return row
  }
}

function* tell(webhook: string, outcome: DeliveryOutcome): Work<void> {
  yield* sql.run('UPDATE webhooks SET last = ? WHERE uuid = ?', JSON.stringify(outcome), webhook)
}

function* count(text: string, ...values: readonly string[]): Work<number> {
  return (yield* sql.one<{ n: number }>(text, ...values))?.n ?? 0
}

function decode({ uuid, namespace, staging, url, states, created_at, last, waiting }: WebhookRow): Webhook {
  return {
    uuid,
    namespace,
    staging: staging ?? undefined,
    url,
    // Only `create` and `tell` write these two.
    on: JSON.parse(states) as WebhookState[],
    last: last === null ? undefined : (JSON.parse(last) as DeliveryOutcome),
    createdAt: created_at,
    waiting,
  }
}

function tooMany(who: string, limit: number): Conflict {
  return new Conflict('too-many-webhooks', `${who} ${limit} webhooks already, which is the limit: remove one first.`)
}

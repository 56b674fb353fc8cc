import { Conflict, NotFound } from '../../../base/errors.js'
import type { FleetNode, NodeIdentity, NodeState, Term } from '../../model/node.js'
import { leaseLost } from '../lease-lost.js'
import type { NodeName, NodeRepository, OpenedTerm, Renewal } from '../node-repository.js'
import type { Dialect } from './dialect.js'
import { STAGING } from './states.js'
import { sql, type Transactions, type Value, type Work } from './work.js'

interface NodeRow {
  readonly uuid: string
  readonly name: string
  readonly labels: string
  readonly address: string | null
  readonly node_address: string | null
  readonly state: NodeState
  readonly first_seen_at: string
  readonly last_seen_at: string
  readonly term: number | null
  readonly running: number
  readonly concurrency: number
}

const ACTIVE: NodeState = 'active'

const WITHOUT_OWNER = `SELECT count(*) AS count FROM stagings WHERE state = ${STAGING.running} AND term IS NULL`

/** Times have one form, so that their order is that of their text. */
export class SqlNodes implements NodeRepository {
  readonly #transactions: Transactions
  readonly #dialect: Pick<Dialect, 'now'>

  constructor(transactions: Transactions, dialect: Pick<Dialect, 'now'>) {
    this.#transactions = transactions
    this.#dialect = dialect
  }

  openTerm(
    node: NodeIdentity & { readonly state?: NodeState; readonly after?: number | undefined },
    leaseMs?: number,
  ): Promise<OpenedTerm> {
    const { uuid, name, labels, address, nodeAddress, concurrency, state = ACTIVE, after } = node
    return this.#transactions.write(function* () {
      const now = yield* this.#dialect.now()
      const at = now.toISOString()
      if (after !== undefined) yield* assertNoOther(uuid, after, at)
      yield* sql.run(
        `INSERT INTO nodes
           (uuid, name, labels, address, node_address, concurrency, state, first_seen_at, last_seen_at, leased_until)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (uuid) DO UPDATE SET name = excluded.name, labels = excluded.labels, address = excluded.address,
           node_address = excluded.node_address, concurrency = excluded.concurrency,
           state = ${after === undefined ? 'excluded.state' : 'nodes.state'}, last_seen_at = excluded.last_seen_at, leased_until = excluded.leased_until`,
        ...[uuid, name, JSON.stringify(labels), address ?? null, nodeAddress ?? null, concurrency, state],
        ...[at, at, later(now, leaseMs)],
      )
      const ofNode = leaseMs === undefined ? { where: '', values: [] } : { where: 'AND node = ?', values: [uuid] }
      const earlier = yield* sql.all<{ number: number }>(
        `SELECT number FROM terms WHERE ended_at IS NULL ${ofNode.where}`,
        ...ofNode.values,
      )
      for (const { number } of earlier) yield* end(number, at, 'lost')
      const opened = yield* sql.one<{ number: number }>(
        'INSERT INTO terms (node, opened_at) VALUES (?, ?) RETURNING number',
        uuid,
        at,
      )
      const { count = 0 } = (yield* sql.one<{ count: number }>(WITHOUT_OWNER)) ?? {}
      return { number: opened?.number ?? NaN, node: uuid, labels, interrupted: count }
    }, this)
  }

  renewTerm({ number, node }: Term, leaseMs: number, concurrency?: number): Promise<Renewal> {
    return this.#transactions.write(function* () {
      const now = yield* this.#dialect.now()
      const row = yield* sql.one<{ state: NodeState }>(
        `UPDATE nodes SET last_seen_at = ?, leased_until = ?, concurrency = coalesce(?, concurrency)
         WHERE uuid = ? AND EXISTS (SELECT 1 FROM terms WHERE number = ? AND ended_at IS NULL) RETURNING state`,
        ...[now.toISOString(), later(now, leaseMs), concurrency ?? null, node, number],
      )
      if (!row) throw leaseLost(number)
      const cancelled = yield* sql.all<{ uuid: string }>(
        `SELECT uuid FROM stagings WHERE term = ? AND state = ${STAGING.running} AND cancel_requested = 1 ORDER BY sequence`,
        number,
      )
      return { state: row.state, cancelled: cancelled.map(({ uuid }) => uuid) }
    }, this)
  }

  closeTerm({ number }: Term): Promise<void> {
    return this.#transactions.write(function* () {
      yield* end(number, (yield* this.#dialect.now()).toISOString(), 'closed')
    }, this)
  }

  async endOverdue(): Promise<number> {
    const overdue = await this.#transactions.read(() => this.#overdue())
    let given = 0
    for (const { number } of overdue)
      given += await this.#transactions.write(function* () {
        // It may have been renewed meanwhile, or ended by another node.
        if ((yield* this.#overdue(number)).length === 0) return 0
        return yield* end(number, (yield* this.#dialect.now()).toISOString(), 'lost')
      }, this)
    return given
  }

  list(): Promise<readonly FleetNode[]> {
    return this.#transactions.read(() => select('ORDER BY name, uuid'))
  }

  /** Those whose lease is not over. A node that has the database to itself has none: its lock shows whether it works. */
  alive(): Promise<readonly FleetNode[]> {
    return this.#transactions.read(function* () {
      const now = (yield* this.#dialect.now()).toISOString()
      return yield* select('WHERE terms.number IS NOT NULL AND nodes.leased_until >= ? ORDER BY name, uuid', now)
    }, this)
  }

  get(node: string): Promise<FleetNode> {
    return this.#transactions.read(() => find(node))
  }

  async ofTerms(terms: readonly number[]): Promise<ReadonlyMap<number, NodeName>> {
    if (terms.length === 0) return new Map()
    const rows = await this.#transactions.read(() =>
      sql.all<NodeName & { readonly number: number }>(
        `SELECT terms.number, nodes.uuid, nodes.name FROM terms JOIN nodes ON nodes.uuid = terms.node
         WHERE terms.number IN (${terms.map(() => '?').join(', ')})`,
        ...terms,
      ),
    )
    return new Map(rows.map(({ number, uuid, name }) => [number, { uuid, name }]))
  }

  setState(node: string, state: NodeState): Promise<FleetNode> {
    return this.#transactions.write(function* () {
      const found = yield* find(node)
      yield* sql.run('UPDATE nodes SET state = ? WHERE uuid = ?', state, found.uuid)
      return { ...found, state }
    })
  }

  remove(node: string): Promise<FleetNode> {
    return this.#transactions.write(function* () {
      const found = yield* find(node)
      if (found.term !== undefined)
        throw new Conflict(
          'node-alive',
          `The node ${found.name} is alive, or was until a moment ago: stop stagerd there, and wait until its lease is over.`,
        )
      yield* sql.run('DELETE FROM nodes WHERE uuid = ?', found.uuid)
      return found
    })
  }

  *#overdue(number?: number): Work<readonly { readonly number: number }[]> {
    const now = (yield* this.#dialect.now()).toISOString()
    return yield* sql.all<{ number: number }>(
      `SELECT terms.number FROM terms JOIN nodes ON nodes.uuid = terms.node
       WHERE terms.ended_at IS NULL AND nodes.leased_until < ? ${number === undefined ? '' : 'AND terms.number = ?'}`,
      ...[now, ...(number === undefined ? [] : [number])],
    )
  }
}

function* assertNoOther(node: string, after: number, at: string): Work<void> {
  const other = yield* sql.one(
    `SELECT 1 FROM terms JOIN nodes ON nodes.uuid = terms.node
     WHERE terms.node = ? AND terms.number > ? AND terms.ended_at IS NULL AND nodes.leased_until >= ?`,
    ...[node, after, at],
  )
  if (!other) return
  throw new Conflict(
    'node-id-in-use',
    `Another stagerd runs with the id ${node} of this node, because its state directory was copied: stop one of them, delete the file node-id in its state directory, and start it again.`,
  )
}

/**
 * Returns how many stagings it has given up.
 *
 * @param how whether its node has ended it in order. Otherwise one of its stagings may be what has ended the node: it counts as an
 * interruption of each
 */
function* end(term: number, at: string, how: 'closed' | 'lost'): Work<number> {
  const ended = yield* sql.run('UPDATE terms SET ended_at = ? WHERE number = ? AND ended_at IS NULL', at, term)
  if (ended === 0) return 0
  return yield* sql.run(
    `UPDATE stagings SET term = NULL, interruptions = interruptions + ? WHERE term = ? AND state = ${STAGING.running}`,
    how === 'lost' ? 1 : 0,
    term,
  )
}

function* select(tail: string, ...values: readonly Value[]): Work<readonly FleetNode[]> {
  const rows = yield* sql.all<NodeRow>(
    `SELECT nodes.*, terms.number AS term,
       (SELECT count(*) FROM stagings WHERE stagings.term = terms.number AND stagings.state = ${STAGING.running}) AS running
     FROM nodes LEFT JOIN terms ON terms.node = nodes.uuid AND terms.ended_at IS NULL ${tail}`,
    ...values,
  )
  return rows.map(decode)
}

function* find(node: string): Work<FleetNode> {
  const found = yield* select('WHERE nodes.uuid = ? OR nodes.name = ? ORDER BY nodes.uuid', node.toLowerCase(), node)
  const [first, second] = found.toSorted((a, b) => Number(b.uuid === node) - Number(a.uuid === node))
  if (!first)
    throw new NotFound('node-not-found', `There is no node ${node}: \`stagectl node list\` shows those that there are.`)
  if (second && first.uuid !== node.toLowerCase())
    throw new Conflict(
      'node-ambiguous',
      `${found.length} nodes have the name ${node}: say which by its UUID, one of ${found.map(({ uuid }) => uuid).join(', ')}.`,
    )
  return first
}

function later(now: Date, milliseconds: number | undefined): string | null {
  return milliseconds === undefined ? null : new Date(now.getTime() + milliseconds).toISOString()
}

function decode(row: NodeRow): FleetNode {
  return {
    uuid: row.uuid,
    name: row.name,
    labels: JSON.parse(row.labels) as string[],
    address: row.address ?? undefined,
    nodeAddress: row.node_address ?? undefined,
    state: row.state,
    firstSeenAt: row.first_seen_at,
    lastSeenAt: row.last_seen_at,
    term: row.term ?? undefined,
    running: row.running,
    concurrency: row.concurrency,
  }
}

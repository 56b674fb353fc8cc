import { leaseLost, taskNotOwned } from '../lease-lost.js'
import type { NewTask, OwnedTask, Task, TaskRepository } from '../task-repository.js'
import type { Dialect } from './dialect.js'
import { sql, type Transactions, type Value, type Work } from './work.js'

interface TaskRow {
  readonly id: string
  readonly number: number
  readonly term: number | null
  readonly request: Uint8Array
  readonly reply: string | null
  readonly received_at: string
  readonly begun_at: string | null
  readonly uploading: number
  readonly log: string
  readonly answer: string | null
}

const UNOWNED =
  'NOT EXISTS (SELECT 1 FROM terms WHERE terms.number = cloud_foundry_tasks.term AND terms.ended_at IS NULL)'

/** Of the term whose number is the parameter, which must be open. */
const OWNED = `term = ? AND NOT ${UNOWNED}`

export class SqlTasks implements TaskRepository {
  readonly #transactions: Transactions
  readonly #dialect: Pick<Dialect, 'now'>

  constructor(transactions: Transactions, dialect: Pick<Dialect, 'now'>) {
    this.#transactions = transactions
    this.#dialect = dialect
  }

  record(tasks: readonly NewTask[], term?: number): Promise<readonly Task[]> {
    return this.#transactions.write(function* () {
      const recorded: Task[] = []
      for (const { id, request, reply, answer } of tasks) {
        const row = yield* sql.one<TaskRow>(
          `INSERT INTO cloud_foundry_tasks (id, term, request, reply, received_at, answer)
           VALUES (?, ?, ?, ?, ?, ?) RETURNING *`,
          ...[id, term ?? null, request, reply ?? null, new Date().toISOString(), answer ?? null],
        )
        if (row) recorded.push(decode(row))
      }
      return recorded
    })
  }

  all(): Promise<readonly Task[]> {
    return this.#transactions.read(() => this.#select(''))
  }

  count(node: string): Promise<number> {
    return this.#transactions.read(function* () {
      const row = yield* sql.one<{ count: number }>(
        `SELECT count(*) AS count FROM cloud_foundry_tasks
         WHERE ${UNOWNED} OR term IN (SELECT number FROM terms WHERE node = ?)`,
        node,
      )
      return row?.count ?? 0
    })
  }

  async claim(
    term: number,
    { most, known }: { readonly most: number; readonly known: ReadonlySet<string> },
  ): Promise<readonly Task[]> {
    // Nodes look often, and there is hardly ever one: a transaction that writes would conflict with those that record others.
    const found = await this.#transactions.read(() =>
      sql.all<Pick<TaskRow, 'id'>>(
        `SELECT id FROM cloud_foundry_tasks WHERE term = ? OR ${UNOWNED} ORDER BY number`,
        term,
      ),
    )
    const ids = found.map(({ id }) => id).filter((id) => !known.has(id))
    if (ids.length === 0) return []
    return await this.#transactions.write(function* () {
      yield* assertOpen(term)
      const claimed: Task[] = []
      for (const id of ids.slice(0, most)) {
        yield* sql.run(`UPDATE cloud_foundry_tasks SET term = ? WHERE id = ? AND ${UNOWNED}`, term, id)
        claimed.push(...(yield* this.#select('WHERE id = ? AND term = ?', id, term)))
      }
      return claimed
    }, this)
  }

  release(tasks: readonly OwnedTask[]): Promise<void> {
    return this.#transactions.write(function* () {
      for (const { id, term } of tasks)
        yield* sql.run('UPDATE cloud_foundry_tasks SET term = NULL WHERE id = ? AND term = ?', id, term ?? null)
    })
  }

  begin(task: OwnedTask): Promise<void> {
    return this.#transactions.write(function* () {
      const now = (yield* this.#dialect.now()).toISOString()
      yield* change(task, 'begun_at = coalesce(begun_at, ?)', [now])
    }, this)
  }

  progress(task: OwnedTask, { uploading, log }: Parameters<TaskRepository['progress']>[1]): Promise<void> {
    const values = [uploading === undefined ? null : Number(uploading), log ?? null]
    return this.#transactions.write(() =>
      change(task, 'uploading = coalesce(?, uploading), log = coalesce(?, log)', values),
    )
  }

  answer(task: OwnedTask, answer: string): Promise<void> {
    return this.#transactions.write(() => change(task, 'answer = ?', [answer]))
  }

  remove(task: OwnedTask): Promise<void> {
    return this.#transactions.write(function* () {
      const { id } = task
      if ((yield* sql.run(`DELETE FROM cloud_foundry_tasks WHERE id = ? AND ${OWNED}`, id, task.term ?? null)) > 0)
        return
      if (yield* sql.one('SELECT 1 FROM cloud_foundry_tasks WHERE id = ?', id)) throw taskNotOwned(id)
    })
  }

  /** In the order of their receipt. */
  *#select(where: string, ...values: readonly Value[]): Work<readonly Task[]> {
    const rows = yield* sql.all<TaskRow>(`SELECT * FROM cloud_foundry_tasks ${where} ORDER BY number`, ...values)
    if (rows.every(({ begun_at: begun }) => begun === null)) return rows.map((row) => decode(row))
    // Another node may have begun it, whose clock is of no use here, as is that of the database.
    const aheadMs = Date.now() - (yield* this.#dialect.now()).getTime()
    return rows.map((row) => decode(row, aheadMs))
  }
}

function* assertOpen(term: number): Work<void> {
  if (!(yield* sql.one('SELECT 1 FROM terms WHERE number = ? AND ended_at IS NULL', term))) throw leaseLost(term)
}

/** @param assignments the values of their parameters are `values` */
function* change({ id, term }: OwnedTask, assignments: string, values: readonly Value[]): Work<void> {
  const text = `UPDATE cloud_foundry_tasks SET ${assignments} WHERE id = ? AND ${OWNED}`
  if ((yield* sql.run(text, ...values, id, term ?? null)) === 0) throw taskNotOwned(id)
}

/** @param aheadMs of the clock of this process to that of the database */
function decode(row: TaskRow, aheadMs = 0): Task {
  const { id, number, request, log } = row
  const begunAt = row.begun_at === null ? undefined : new Date(Date.parse(row.begun_at) + aheadMs).toISOString()
  return {
    ...{ id, number, request, log, begunAt },
    term: row.term ?? undefined,
    receivedAt: row.received_at,
    reply: row.reply ?? undefined,
    uploading: row.uploading === 1,
    answer: row.answer ?? undefined,
  }
}

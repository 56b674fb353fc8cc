import { NotFound } from '../../../base/errors.js'
import type { Task, TaskRepository } from '../task-repository.js'
import { sql, type Transactions, type Value } from './work.js'

interface TaskRow {
  readonly id: string
  readonly request: Uint8Array
  readonly reply: string | null
  readonly received_at: string
  readonly begun_at: string | null
  readonly uploading: number
  readonly log: string
  readonly answer: string | null
}

export class SqlTasks implements TaskRepository {
  readonly #transactions: Transactions

  constructor(transactions: Transactions) {
    this.#transactions = transactions
  }

  record(tasks: Parameters<TaskRepository['record']>[0]): Promise<void> {
    return this.#transactions.write(function* () {
      for (const { id, request, reply, answer } of tasks)
        yield* sql.run(
          'INSERT INTO cloud_foundry_tasks (id, request, reply, received_at, answer) VALUES (?, ?, ?, ?, ?)',
          ...[id, request, reply ?? null, new Date().toISOString(), answer ?? null],
        )
    })
  }

  all(): Promise<readonly Task[]> {
    return this.#transactions.read(function* () {
      const rows = yield* sql.all<TaskRow>('SELECT * FROM cloud_foundry_tasks ORDER BY number')
      return rows.map(({ id, request, reply, received_at, begun_at, uploading, log, answer }) => ({
        ...{ id, request, log },
        receivedAt: received_at,
        reply: reply ?? undefined,
        begunAt: begun_at ?? undefined,
        uploading: uploading === 1,
        answer: answer ?? undefined,
      }))
    })
  }

  progress(id: string, { begunAt, uploading, log }: Parameters<TaskRepository['progress']>[1]): Promise<void> {
    return this.#change(
      `UPDATE cloud_foundry_tasks
       SET begun_at = coalesce(?, begun_at), uploading = coalesce(?, uploading), log = coalesce(?, log) WHERE id = ?`,
      [begunAt ?? null, uploading === undefined ? null : Number(uploading), log ?? null, id],
      id,
    )
  }

  answer(id: string, answer: string): Promise<void> {
    return this.#change('UPDATE cloud_foundry_tasks SET answer = ? WHERE id = ?', [answer, id], id)
  }

  remove(id: string): Promise<void> {
    return this.#transactions.write(function* () {
      yield* sql.run('DELETE FROM cloud_foundry_tasks WHERE id = ?', id)
    }, this)
  }

  #change(text: string, values: readonly Value[], id: string): Promise<void> {
    return this.#transactions.write(function* () {
      if ((yield* sql.run(text, ...values)) === 0)
        throw new NotFound('task-not-found', `There is no task ${id} any more.`)
    })
  }
}

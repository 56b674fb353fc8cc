import { NotFound } from '../../../base/errors.js'
import type { Task, TaskRepository } from '../task-repository.js'
import type { StagerdDatabase } from './database.js'

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

export class SqliteTasks implements TaskRepository {
  readonly #database: StagerdDatabase

  constructor(database: StagerdDatabase) {
    this.#database = database
  }

  record(tasks: Parameters<TaskRepository['record']>[0]): Promise<void> {
    return this.#database.write(() => {
      const statement = this.#database.statement(
        'INSERT INTO cloud_foundry_tasks (id, request, reply, received_at, answer) VALUES (?, ?, ?, ?, ?)',
      )
      for (const { id, request, reply, answer } of tasks)
        statement.run(id, request, reply ?? null, new Date().toISOString(), answer ?? null)
    })
  }

  all(): Promise<readonly Task[]> {
    return this.#database.read(() =>
      this.#database
        .statement<TaskRow>('SELECT * FROM cloud_foundry_tasks ORDER BY number')
        .all()
        .map(({ id, request, reply, received_at, begun_at, uploading, log, answer }) => ({
          ...{ id, request, log },
          receivedAt: received_at,
          reply: reply ?? undefined,
          begunAt: begun_at ?? undefined,
          uploading: uploading === 1,
          answer: answer ?? undefined,
        })),
    )
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
    return this.#database.write(() => {
      this.#database.statement('DELETE FROM cloud_foundry_tasks WHERE id = ?').run(id)
    })
  }

  #change(sql: string, values: readonly (string | number | null)[], id: string): Promise<void> {
    return this.#database.write(() => {
      if (this.#database.statement(sql).run(...values).changes === 0)
        throw new NotFound('task-not-found', `There is no task ${id} any more.`)
    })
  }
}

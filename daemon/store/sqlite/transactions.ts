import type { Step, Transactions, Work } from '../sql/work.js'
import type { StagerdDatabase } from './database.js'

/** Does the work of transactions in SQLite: all of it at once, so that no other code of this process runs meanwhile. */
export class SqliteTransactions implements Transactions {
  constructor(private readonly database: StagerdDatabase) {}

  read<T, This>(work: (this: This) => Work<T>, thisArg?: This): Promise<T> {
    return this.database.read(() => doInside(this.database, work.call(thisArg as This)))
  }

  write<T, This>(work: (this: This) => Work<T>, thisArg?: This): Promise<T> {
    return this.database.write(() => doInside(this.database, work.call(thisArg as This)))
  }
}

/** Does work inside of a transaction of the database. */
export function doInside<T>(database: StagerdDatabase, work: Work<T>): T {
  let next = work.next()
  while (!next.done) {
    let answer: unknown
    try {
      answer = answerTo(database, next.value)
    } catch (error) {
      next = work.throw(error)
      continue
    }
    next = work.next(answer)
  }
  return next.value
}

function answerTo(database: StagerdDatabase, step: Step): unknown {
  switch (step.kind) {
    case 'all':
      return database.statement(step.text).all(...step.values)
    case 'one':
      return database.statement(step.text).get(...step.values)
    case 'run':
      return database.statement(step.text).run(...step.values).changes
    case 'check':
      database.beforeCommit(step.what, () => doInside(database, step.check()))
      return undefined
  }
}

import { setTimeout as delay } from 'node:timers/promises'
import { Unavailable } from '../../../base/errors.js'
import { KeyedMutex } from '../../../base/keyed-mutex.js'
import { whileHeld, type Done, type Duties, type DutyTerm } from '../duties.js'
import { sql, type Transactions, type Work } from './work.js'

const RETRY_MS = 1_000

/**
 * The duties of one of the nodes that share a database. A row says which term has a duty, and counts as long as that term is open: whoever
 * ends the term of a node that has died thereby frees its duties.
 */
export class SqlDuties implements Duties {
  readonly #mutex = new KeyedMutex()
  readonly #transactions: Transactions
  readonly #term: () => DutyTerm | undefined

  /** @param term that of this node now; undefined if it has none */
  constructor(transactions: Transactions, term: () => DutyTerm | undefined) {
    this.#transactions = transactions
    this.#term = term
  }

  async run<T>(duty: string, work: (signal: AbortSignal) => Promise<T>): Promise<Done<T> | undefined> {
    return await this.#mutex.run(duty, async () => {
      const current = this.#term()
      const term = current?.lost.aborted === false ? current : undefined
      // Also without a term: if the database is away, that is the better reason.
      const taken = await this.#transactions.write(() => take(duty, term?.number))
      if (!taken || !term) return undefined
      try {
        return { result: await whileHeld(term, duty, work) }
      } finally {
        await this.#giveBack(duty, term)
      }
    })
  }

  /** Until the database has done it, or the row counts no more: otherwise no other node could have the duty while this one lives. */
  async #giveBack(duty: string, { number, lost }: DutyTerm): Promise<void> {
    while (!lost.aborted)
      try {
        await this.#transactions.write(() => sql.run('DELETE FROM duties WHERE name = ? AND term = ?', duty, number))
        return
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error
        await delay(RETRY_MS, undefined, { signal: lost }).catch(() => undefined)
      }
  }
}

/** Whether the term has the duty now. What it had already, an earlier attempt has not given back. */
function* take(duty: string, term: number | undefined): Work<boolean> {
  const open = yield* sql.one('SELECT number FROM terms WHERE number = ? AND ended_at IS NULL', term ?? null)
  if (term === undefined || !open) throw withoutTerm()
  const taken = yield* sql.run(
    `INSERT INTO duties (name, term) VALUES (?, ?)
     ON CONFLICT (name) DO UPDATE SET term = excluded.term
     WHERE duties.term = excluded.term
       OR NOT EXISTS (SELECT 1 FROM terms WHERE terms.number = duties.term AND terms.ended_at IS NULL)`,
    duty,
    term,
  )
  return taken > 0
}

function withoutTerm(): Unavailable {
  return new Unavailable(
    'node-without-term',
    'This node has no term in the database, so it cannot work for the others: it begins one by itself, so try again in some seconds.',
  )
}

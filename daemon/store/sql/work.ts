/**
 * What a transaction does, as a generator: it yields each statement, and is resumed with the answer of the database. So one
 * text serves a database that answers at once (SQLite) and one that answers later (PostgreSQL): see
 * docs/decisions/0087-one-text-for-two-databases.md.
 *
 * It must be pure apart from its statements: a transaction that conflicts with another one is run again from the start.
 */
export type Work<T> = Generator<Step, T, unknown>

export type Step = Statement | Check

export interface Statement {
  /** What is asked for: all rows, the first row or undefined, or the number of rows that were changed. */
  readonly kind: 'all' | 'one' | 'run'
  /** Each parameter is a `?`. */
  readonly text: string
  readonly values: readonly Value[]
}

export type Value = string | number | Uint8Array | null

export interface Check {
  readonly kind: 'check'
  readonly what: string
  readonly check: () => Work<void>
}

/** Where work is done. Both methods reject with what the work throws. */
export interface Transactions {
  /** `work` reads from one snapshot, and must not write. */
  read<T, This>(work: (this: This) => Work<T>, thisArg?: This): Promise<T>
  /**
   * Commits what `work` writes, durably; rolls back if it throws. Transactions that write have the effect that they would
   * have one after the other.
   *
   * Rejects with `Unavailable` if the database cannot be used now.
   */
  write<T, This>(work: (this: This) => Work<T>, thisArg?: This): Promise<T>
}

/** The statements of a transaction: `const row = yield* sql.one<Row>('SELECT … WHERE uuid = ?', uuid)`. */
export const sql = {
  *all<Row>(text: string, ...values: readonly Value[]): Work<readonly Row[]> {
    return (yield { kind: 'all', text, values }) as readonly Row[]
  },

  *one<Row>(text: string, ...values: readonly Value[]): Work<Row | undefined> {
    return (yield { kind: 'one', text, values }) as Row | undefined
  },

  /** Returns the number of rows that were changed. */
  *run(text: string, ...values: readonly Value[]): Work<number> {
    return (yield { kind: 'run', text, values }) as number
  },

  /**
   * In a transaction that writes: `check` is done when the work is done. If it throws, nothing is committed.
   *
   * @param what names the check; of several with one name, the last is done
   */
  *beforeCommit(what: string, check: () => Work<void>): Work<void> {
    yield { kind: 'check', what, check }
  },
}

import type { Work } from './work.js'

/** The few differences between the databases that their schemas do not hide. */
export interface Dialect {
  /**
   * An expression: the rows of a table as an array of JSON; `[]` if there are none.
   *
   * @param fields columns; with several, each element is an object of them
   * @param from what follows `FROM`
   */
  readonly jsonArray: (fields: readonly string[], order: string, from: string) => string
  /** What follows the query of a row that this transaction is going to take, and which no other one may take. */
  readonly taken: string
  /** The time of the database's clock: the same at all nodes, and during a transaction that of its beginning. */
  readonly now: () => Work<Date>
  /** Whether others write to the database too, so that what is remembered of it may be out of date. */
  readonly isShared: boolean
  /** Does the work so that nothing of what it replaces is left in the files of the database, if the database can do that. */
  readonly overwriting: (work: () => Work<void>) => Work<void>
}

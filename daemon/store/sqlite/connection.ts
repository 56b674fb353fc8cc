import Database, { type Options, type PragmaOptions } from 'better-sqlite3'

/** Objects that live as long as the process: see `Connection`. */
const kept: object[] = []

function keep<T extends object>(object: T): T {
  kept.push(object)
  return object
}

/**
 * A connection of better-sqlite3 that is never garbage-collected, and whose statements are not either. If the library is
 * compiled against the headers of Node.js 24.19 or later, it aborts the process when V8 collects such an object outside
 * JavaScript, for instance while a socket is read: nodejs/node#65446. They are few: `StagerdDatabase` prepares each
 * statement once.
 */
export class Connection extends Database {
  constructor(path: string, options?: Options) {
    super(path, options)
    keep(this)
  }

  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- as in the inherited method
  override prepare<Parameters extends unknown[] | object = unknown[], Result = unknown>(source: string) {
    return keep(super.prepare<Parameters, Result>(source))
  }

  // The inherited method prepares a statement that is not kept.
  override pragma(source: string, options: PragmaOptions = {}): unknown {
    const statement = this.prepare(`PRAGMA ${source}`)
    if (!statement.reader) return void statement.run()
    return options.simple ? statement.pluck().get() : statement.all()
  }
}

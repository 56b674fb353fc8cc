import Database, { type Options, type PragmaOptions } from 'better-sqlite3'

/** Of the whole process: see `Connection`. */
const kept: object[] = []

function keep<T extends object>(object: T): T {
  kept.push(object)
  return object
}

/**
 * A connection of better-sqlite3 that is never garbage-collected, and neither are its statements. Compiled against the
 * headers of Node.js 24.19 or later, the library aborts the process when V8 collects one of them outside of JavaScript,
 * as it does while a socket is read: nodejs/node#65446. They are few, because `StagerdDatabase` prepares each once.
 */
export class Connection extends Database {
  constructor(path: string, options?: Options) {
    super(path, options)
    keep(this)
  }

  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- those of the inherited one
  override prepare<Parameters extends unknown[] | object = unknown[], Result = unknown>(source: string) {
    return keep(super.prepare<Parameters, Result>(source))
  }

  // The inherited one prepares its statement out of our reach.
  override pragma(source: string, options: PragmaOptions = {}): unknown {
    const statement = this.prepare(`PRAGMA ${source}`)
    if (!statement.reader) return void statement.run()
    return options.simple ? statement.pluck().get() : statement.all()
  }
}

import { randomUUID } from 'node:crypto'
import { Conflict, NotFound } from '../../../base/errors.js'
import type { Bootstrap } from '../../model/bootstrap.js'
import type { BootstrapRepository } from '../bootstrap-repository.js'
import type { StagerdDatabase } from './database.js'
import { BOOTSTRAP } from './states.js'

interface BootstrapRow {
  readonly document: string
}

export class SqliteBootstraps implements BootstrapRepository {
  readonly #database: StagerdDatabase

  constructor(database: StagerdDatabase) {
    this.#database = database
  }

  begin(pipelines: readonly string[]): Promise<Bootstrap> {
    return this.#database.write(() => {
      const [running] = this.#select(`WHERE state = ${BOOTSTRAP.running}`, [])
      if (running)
        throw new Conflict(
          'bootstrap-running',
          `Another bootstrap is running: follow it with \`${['stagectl bootstrap', ...running.pipelines].join(' ')}\`, or cancel it with \`stagectl bootstrap --cancel\`.`,
        )
      const bootstrap: Bootstrap = {
        uuid: randomUUID(),
        state: 'running',
        pipelines,
        items: [],
        message: undefined,
        startedAt: new Date().toISOString(),
        endedAt: undefined,
      }
      this.#database
        .statement('INSERT INTO bootstraps (uuid, state, document) VALUES (?, ?, ?)')
        .run(bootstrap.uuid, bootstrap.state, JSON.stringify(bootstrap))
      return bootstrap
    })
  }

  get(uuid: string): Promise<Bootstrap> {
    return this.#database.read(() => {
      const [found] = this.#select('WHERE uuid = ?', [uuid])
      if (!found) throw new NotFound('bootstrap-not-found', `There is no bootstrap ${uuid}.`)
      return found
    })
  }

  list(limit: number): Promise<readonly Bootstrap[]> {
    return this.#database.read(() => this.#select('ORDER BY sequence DESC LIMIT ?', [limit]))
  }

  save(bootstrap: Bootstrap): Promise<void> {
    return this.#database.write(() => {
      this.#database
        .statement('UPDATE bootstraps SET state = ?, document = ? WHERE uuid = ?')
        .run(bootstrap.state, JSON.stringify(bootstrap), bootstrap.uuid)
    })
  }

  #select(clause: string, values: readonly unknown[]): Bootstrap[] {
    return this.#database
      .statement<BootstrapRow>(`SELECT document FROM bootstraps ${clause}`)
      .all(...values)
      .map(({ document }) => decode(JSON.parse(document) as Bootstrap))
  }
}

/** JSON omits undefined properties. */
function decode({ items, message, endedAt, ...rest }: Bootstrap): Bootstrap {
  return {
    ...rest,
    items: items.map(({ name, state, staging, message }) => ({ name, state, staging, message })),
    message,
    endedAt,
  }
}

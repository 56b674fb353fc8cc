import { randomUUID } from 'node:crypto'
import { Conflict, NotFound } from '../../../base/errors.js'
import { quote } from '../../../base/fqn.js'
import type { Token, TokenAccess } from '../../model/token.js'
import type { TokenRepository } from '../token-repository.js'
import type { StagerdDatabase } from './database.js'

interface TokenRow {
  readonly uuid: string
  readonly name: string
  readonly access: string
  readonly namespaces: string
  readonly created_at: string
  readonly expires_at: string
}

export class SqliteTokens implements TokenRepository {
  readonly #database: StagerdDatabase

  constructor(database: StagerdDatabase) {
    this.#database = database
  }

  create(token: Omit<Token, 'uuid'>, hash: string): Promise<Token> {
    return this.#database.write(() => {
      const { name, access, namespaces, createdAt, expiresAt } = token
      if (this.#named(name))
        throw new Conflict(
          'token-exists',
          `There is a token ${quote(name)} already: choose another name, or revoke that one first.`,
        )
      const uuid = randomUUID()
      this.#database
        .statement(
          'INSERT INTO tokens (uuid, name, hash, access, namespaces, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)',
        )
        .run(uuid, name, hash, access, JSON.stringify(namespaces), createdAt, expiresAt)
      return { uuid, ...token }
    })
  }

  find(hash: string): Promise<Token | undefined> {
    return this.#database.read(() => {
      const row = this.#database.statement<TokenRow>('SELECT * FROM tokens WHERE hash = ?').get(hash)
      return row && decode(row)
    })
  }

  list(): Promise<readonly Token[]> {
    return this.#database.read(() =>
      this.#database.statement<TokenRow>('SELECT * FROM tokens ORDER BY name').all().map(decode),
    )
  }

  delete(name: string): Promise<Token> {
    return this.#database.write(() => {
      const found = this.#named(name)
      if (!found) throw new NotFound('token-not-found', `There is no token ${quote(name)}.`)
      this.#database.statement('DELETE FROM tokens WHERE uuid = ?').run(found.uuid)
      return found
    })
  }

  #named(name: string): Token | undefined {
    const row = this.#database.statement<TokenRow>('SELECT * FROM tokens WHERE name = ?').get(name)
    return row && decode(row)
  }
}

function decode(row: TokenRow): Token {
  return {
    uuid: row.uuid,
    name: row.name,
    // Only `create` writes it.
    access: row.access as TokenAccess,
    namespaces: JSON.parse(row.namespaces) as string[],
    createdAt: row.created_at,
    expiresAt: row.expires_at,
  }
}

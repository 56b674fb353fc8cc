import { randomUUID } from 'node:crypto'
import { Conflict, NotFound } from '../../../base/errors.js'
import { quote } from '../../../base/fqn.js'
import type { Token, TokenAccess } from '../../model/token.js'
import type { TokenRepository } from '../token-repository.js'
import { sql, type Transactions, type Work } from './work.js'

interface TokenRow {
  readonly uuid: string
  readonly name: string
  readonly access: string
  readonly namespaces: string
  readonly created_at: string
  readonly expires_at: string
}

export class SqlTokens implements TokenRepository {
  readonly #transactions: Transactions

  constructor(transactions: Transactions) {
    this.#transactions = transactions
  }

  create(token: Omit<Token, 'uuid'>, hash: string): Promise<Token> {
    return this.#transactions.write(function* () {
      const { name, access, namespaces, createdAt, expiresAt } = token
      if (yield* this.#named(name))
        throw new Conflict(
          'token-exists',
          `There is a token ${quote(name)} already: choose another name, or revoke that one first.`,
        )
      const uuid = randomUUID()
      yield* sql.run(
        'INSERT INTO tokens (uuid, name, hash, access, namespaces, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)',
        uuid,
        name,
        hash,
        access,
        JSON.stringify(namespaces),
        createdAt,
        expiresAt,
      )
      return { uuid, ...token }
    }, this)
  }

  find(hash: string): Promise<Token | undefined> {
    return this.#transactions.read(function* () {
      const row = yield* sql.one<TokenRow>('SELECT * FROM tokens WHERE hash = ?', hash)
      return row && decode(row)
    }, this)
  }

  get(uuid: string): Promise<Token | undefined> {
    return this.#transactions.read(function* () {
      const row = yield* sql.one<TokenRow>('SELECT * FROM tokens WHERE uuid = ?', uuid)
      return row && decode(row)
    })
  }

  list(): Promise<readonly Token[]> {
    return this.#transactions.read(function* () {
      return (yield* sql.all<TokenRow>('SELECT * FROM tokens ORDER BY name')).map(decode)
    })
  }

  delete(name: string): Promise<Token> {
    return this.#transactions.write(function* () {
      const found = yield* this.#named(name)
      if (!found) throw new NotFound('token-not-found', `There is no token ${quote(name)}.`)
      yield* sql.run('DELETE FROM tokens WHERE uuid = ?', found.uuid)
      return found
    }, this)
  }

  *#named(name: string): Work<Token | undefined> {
    const row = yield* sql.one<TokenRow>('SELECT * FROM tokens WHERE name = ?', name)
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

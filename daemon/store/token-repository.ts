import type { Token } from '../model/token.js'

/** As the other repositories: each method is one transaction, which is durable when the method resolves. */
export interface TokenRepository {
  /**
   * Throws `Conflict` (`token-exists`).
   *
   * @param hash the SHA-256 of its secret
   */
  create(token: Omit<Token, 'uuid'>, hash: string): Promise<Token>
  /** Also one that has expired. */
  find(hash: string): Promise<Token | undefined>
  /** Also one that has expired. */
  get(uuid: string): Promise<Token | undefined>
  /** By name. */
  list(): Promise<readonly Token[]>
  /** Throws `NotFound` (`token-not-found`). */
  delete(name: string): Promise<Token>
}

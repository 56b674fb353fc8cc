/** What the holder of a token may do. Each includes those before it; only the last one reaches beyond namespaces. */
export const TOKEN_ACCESS = ['read', 'write', 'administrator'] as const
export type TokenAccess = (typeof TOKEN_ACCESS)[number]

/** A token of the control API, without its secret, which nothing keeps. */
export interface Token {
  readonly uuid: string
  /** Unique. */
  readonly name: string
  readonly access: TokenAccess
  /** It is for these and all below them. Empty for an administrator, who is not limited to any. */
  readonly namespaces: readonly string[]
  readonly createdAt: string
  readonly expiresAt: string
}

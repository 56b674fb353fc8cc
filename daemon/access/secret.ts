import { createHash, randomBytes } from 'node:crypto'

/** Programs that look for leaked secrets recognise it, and so do people. */
const PREFIX = 'stagerd_'
const BYTES = 32
const SECRET = /^stagerd_[A-Za-z0-9_-]{43}$/

/** A new token, as its holder gets it. */
export function makeSecret(): string {
  return PREFIX + randomBytes(BYTES).toString('base64url')
}

/**
 * What is kept of a token. One round of SHA-256 is enough, because there is nothing to guess: a slow hash protects
 * passwords, which people choose, and a token has 256 random bits. Looking the hash up takes a time that depends on the
 * hash, of which nobody can choose the digits.
 *
 * @returns undefined for what cannot be a token
 */
export function hashOf(secret: string): string | undefined {
  return SECRET.test(secret) ? createHash('sha256').update(secret).digest('hex') : undefined
}

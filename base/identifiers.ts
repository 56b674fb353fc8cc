const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i
const SHA256 = /^[0-9a-f]{64}$/

/** RFC 9562, any version. */
export function isUuid(text: string): boolean {
  return UUID.test(text)
}

/** Lower-case hexadecimal, as stagerd writes every digest. */
export function isSha256(text: string): boolean {
  return SHA256.test(text)
}

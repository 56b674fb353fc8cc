/** The names of environment variables: one rule for packages, stagers, images, build scripts, stagers' requests, and -e. */

/** The kernel limits NAME=VALUE to 128 KiB, of which a value may use 96. */
const MAX_BYTES = 1024

/** What `isVariableName` accepts, as the end of a sentence. */
export const VARIABLE_NAME_RULE = 'a name is text of 1 to 1024 bytes without "=" and NUL, and not __proto__'

/**
 * Whether a process can have a variable of this name: the kernel and Docker accept anything without `=` and NUL, such as
 * `discovery.type` and `npm_config_//registry.example.org/:_authToken`.
 *
 * Not `__proto__`, because many programs misbehave with it as a key of a plain object; nor half of a surrogate pair,
 * which UTF-8 cannot express.
 */
export function isVariableName(name: string): boolean {
  return /^[^=\0\p{Surrogate}]+$/u.test(name) && name !== '__proto__' && Buffer.byteLength(name) <= MAX_BYTES
}

/** Whether a POSIX shell can refer to a variable of this name. Some shells drop all others. */
export function isShellName(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)
}

import { posix } from 'node:path'
import { NotRunnable } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { isShellName } from '../../base/variable-name.js'

/** Of `NAME=VALUE`, in bytes. Linux limits a string of execve(2) to 128 KiB, with the NUL at its end. */
const LONGEST_VARIABLE = 128 * 1024 - 1

/**
 * Of all variables, in bytes. Linux gives arguments and environment a quarter of the limit of the stack, which is 8 MiB by
 * default, and pointers count too.
 */
const LARGEST_ENVIRONMENT = 1.5 * 1024 * 1024

/**
 * Merges environments from the lowest layer to the highest; a later one wins.
 *
 * `$NAME` or `${NAME}` in the value of NAME itself is replaced by the value of the layers below, as in
 * `"PATH": "/opt/apcera/ruby-2.0.0-p195/bin:$PATH"`. Other references stay for the shell that runs the program:
 * START_COMMAND may use `$PORT`, for example, which is known only at that time.
 *
 * Throws `NotRunnable` (`environment-too-large`) for what no process can be started with.
 */
export function mergeEnvironments(
  ...layers: readonly Readonly<Record<string, string>>[]
): Readonly<Record<string, string>> {
  const merged = new Map<string, string>()
  for (const layer of layers) {
    for (const [key, value] of Object.entries(layer)) merged.set(key, expandSelf(key, value, merged.get(key)))
  }
  let bytes = 0
  for (const [key, value] of merged) bytes += Buffer.byteLength(key) + Buffer.byteLength(value) + 2
  if (bytes > LARGEST_ENVIRONMENT)
    throw new NotRunnable(
      'environment-too-large',
      `The environment has ${bytes} bytes, and a process can get at most ${LARGEST_ENVIRONMENT}: put large values into files.`,
    )
  return Object.fromEntries(merged)
}

/** The directory in which a program starts by START_PATH, a path from the root with or without a slash at its beginning. */
export function startPathOf({ START_PATH }: Readonly<Record<string, string>>): string | undefined {
  return START_PATH ? posix.resolve('/', START_PATH) : undefined
}

function expandSelf(key: string, value: string, below: string | undefined): string {
  if (!value.includes('$')) return value
  const self = referenceTo(key)
  // Counted first: a value that is nothing but references could grow to gigabytes.
  const references = value.match(new RegExp(self, 'g'))?.length ?? 0
  if (Buffer.byteLength(`${key}=${value}`) + references * Buffer.byteLength(below ?? '') > LONGEST_VARIABLE)
    throw new NotRunnable(
      'environment-too-large',
      `The variable ${quote(key)} is longer than 128 KiB with the values that it refers to: no process can get it.`,
    )
  if (below !== undefined && below !== '') return value.replace(new RegExp(self, 'g'), () => below)
  // No value below: remove the separator too, because an empty element of a search path means the current directory.
  return value.replace(new RegExp(`:?${self}`, 'g'), '').replace(/^:/, value.startsWith(':') ? ':' : '')
}

/** A pattern, for the name of a variable. `$a.b` refers to the variable `a`, as in a shell, so other names than those of a shell need the braces. */
export function referenceTo(key: string): string {
  const name = key.replace(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`)
  const braced = String.raw`\$\{${name}\}`
  return isShellName(key) ? String.raw`(?:\$${name}(?![A-Za-z0-9_])|${braced})` : braced
}

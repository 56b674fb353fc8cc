import { posix } from 'node:path'
import { isShellName } from '../../base/variable-name.js'

/**
 * Merges environments from the lowest layer to the highest; a later one wins.
 *
 * `$NAME` or `${NAME}` in the value of NAME itself is replaced by the value of the layers below, as in
 * `"PATH": "/opt/apcera/ruby-2.0.0-p195/bin:$PATH"`. Other references stay for the shell that runs the program:
 * START_COMMAND may use `$PORT`, for example, which is known only at that time.
 */
export function mergeEnvironments(
  ...layers: readonly Readonly<Record<string, string>>[]
): Readonly<Record<string, string>> {
  const merged = new Map<string, string>()
  for (const layer of layers) {
    for (const [key, value] of Object.entries(layer)) merged.set(key, expandSelf(key, value, merged.get(key)))
  }
  return Object.fromEntries(merged)
}

/** The directory in which a program starts by START_PATH, a path from the root with or without a slash at its beginning. */
export function startPathOf({ START_PATH }: Readonly<Record<string, string>>): string | undefined {
  return START_PATH ? posix.resolve('/', START_PATH) : undefined
}

function expandSelf(key: string, value: string, below: string | undefined): string {
  const self = referenceTo(key)
  if (below !== undefined && below !== '') return value.replace(new RegExp(self, 'g'), () => below)
  // No value below: remove the separator too, because an empty element of a search path means the current directory.
  return value.replace(new RegExp(`:?${self}`, 'g'), '').replace(/^:/, value.startsWith(':') ? ':' : '')
}

/** A pattern. `$a.b` refers to the variable `a`, as in a shell, so other names than those of a shell need the braces. */
function referenceTo(key: string): string {
  const name = key.replace(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`)
  const braced = String.raw`\$\{${name}\}`
  return isShellName(key) ? String.raw`(?:\$${name}(?![A-Za-z0-9_])|${braced})` : braced
}

/** What every program of ours starts from, before any package has its say. */
export const BASE_ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
}

/**
 * Environments merged from the lowest layer to the highest: a later one wins.
 *
 * `$NAME` or `${NAME}` in the value of NAME itself stands for the value below, as in
 * `"PATH": "/opt/apcera/ruby-2.0.0-p195/bin:$PATH"`. Other references are left for the shell that runs the program:
 * START_COMMAND may well speak of `$PORT`, which is known only then.
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

function expandSelf(key: string, value: string, below: string | undefined): string {
  const self = `\\$(?:${key}(?![A-Za-z0-9_])|\\{${key}\\})`
  if (below !== undefined && below !== '') return value.replace(new RegExp(self, 'g'), () => below)
  // Nothing below: the separator goes too, because an empty element of a search path means the current directory.
  return value.replace(new RegExp(`:?${self}`, 'g'), '').replace(/^:/, value.startsWith(':') ? ':' : '')
}

/** In a message. */
const MAX_VERSIONS = 12

/**
 * The names of `there` that differ from `wanted` only in their version, such as `ruby-3.1` for `ruby-2.1`: those that are
 * as exact, if there are any.
 *
 * @param there in the order in which they are shown
 */
export function otherVersions(wanted: string, there: readonly string[]): readonly string[] {
  const stem = wanted.replace(/-\d[\w.]*$/, '')
  const versions = there.filter((name) => name.startsWith(`${stem}-`) && /^[\d.]+$/.test(name.slice(stem.length + 1)))
  const asExact = versions.filter((name) => partsOf(name) === partsOf(wanted))
  return (asExact.length > 0 ? asExact : versions).slice(0, MAX_VERSIONS)
}

function partsOf(name: string): number {
  return name.split('.').length
}

import type { Capability } from '../metadata.js'

/** In a message. */
const MAX_VERSIONS = 12

/**
 * The names of `there` that differ from `wanted` only in their version, such as `ruby-3.1` for `ruby-2.1`: those that are
 * as exact, if there are any.
 *
 * Of a runtime that is there in no version, all runtimes: the name may be misspelt.
 *
 * @param there names of the same type, in the order in which they are shown
 */
export function otherVersions({ type, name: wanted }: Capability, there: readonly string[]): readonly string[] {
  const stem = withoutVersion(wanted)
  const versions = there.filter((name) => name.startsWith(`${stem}-`) && /^[\d.]+$/.test(name.slice(stem.length + 1)))
  const asExact = versions.filter((name) => partsOf(name) === partsOf(wanted))
  const others = type === 'runtime' && versions.length === 0 ? there.filter((name) => !/\d/.test(name)) : versions
  return (asExact.length > 0 ? asExact : others).slice(0, MAX_VERSIONS)
}

/** `ruby` for `ruby-2.1`. */
export function withoutVersion(name: string): string {
  return name.replace(/-\d[\w.]*$/, '')
}

function partsOf(name: string): number {
  return name.split('.').length
}

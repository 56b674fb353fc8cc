import type { Change } from './walk-upper.js'
import type { LowerLayers } from './lower-layers.js'

/**
 * What Docker puts into every root: empty files to mount its own upon, and a link. They lie in a layer of its own just
 * below the upper directory (`ID-init` of overlay2), so that they are not among the changes. But `chmod -R` or
 * `chown -R` over the root brings copies of them up, and a removal leaves a whiteout.
 */
export const INJECTED: ReadonlySet<string> = new Set([
  '.dockerenv',
  'dev/console',
  'etc/hostname',
  'etc/hosts',
  'etc/mtab',
  'etc/resolv.conf',
])

/**
 * Whether the entry is Docker's, and not the stager's: one of its names, empty or a link, where no layer of a package has
 * anything. In a container those names are mount points: whatever is written to them goes elsewhere.
 */
export function isInjected(entry: Change, lower: LowerLayers): boolean {
  if (!INJECTED.has(entry.path) || lower.mayHold(entry.path)) return false
  return entry.kind !== 'file' || entry.stats?.size === 0
}

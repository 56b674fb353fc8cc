import type { GarbageKind } from '../model/garbage.js'

/** Something that nothing refers to and nobody at work uses. */
export interface Garbage {
  readonly kind: GarbageKind
  readonly id: string
  readonly bytes: number
  /** Last written, touched or used; of a staging, when it ended. */
  readonly usedAt: Date
}

export interface Measure {
  /** What has been of no use for longer goes. In milliseconds. */
  readonly olderThanMs: number
  /** Blobs, layers and images that are younger go too, the oldest first, until they have no more than this together. */
  readonly keepBytes: number | undefined
  /** A blob that is younger than this stays in any case: its uploader is about to name it. In milliseconds. */
  readonly graceMs: number
}

/** What of `garbage` goes, the oldest first. */
export function chooseGarbage(garbage: readonly Garbage[], measure: Measure, now: Date): readonly Garbage[] {
  const { olderThanMs, keepBytes = Infinity, graceMs } = measure
  const age = ({ usedAt }: Garbage) => now.getTime() - usedAt.getTime()
  const free = garbage
    .filter((one) => one.kind !== 'blob' || age(one) >= graceMs)
    .sort((a, b) => a.usedAt.getTime() - b.usedAt.getTime() || a.id.localeCompare(b.id))
  const isStore = ({ kind }: Garbage) => kind === 'blob' || kind === 'layer' || kind === 'image'
  let kept = free.filter((one) => isStore(one) && age(one) < olderThanMs).reduce((total, { bytes }) => total + bytes, 0)
  return free.filter((one) => {
    if (age(one) >= olderThanMs) return true
    if (!isStore(one) || kept <= keepBytes) return false
    kept -= one.bytes
    return true
  })
}

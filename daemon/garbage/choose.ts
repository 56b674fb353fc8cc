import type { GarbageKind } from '../model/garbage.js'

/** Something without references that no launch or run uses. */
export interface Garbage {
  readonly kind: GarbageKind
  readonly id: string
  readonly bytes: number
  /** When it was last written, touched or used; of a staging, when it ended. */
  readonly usedAt: Date
}

export interface Measure {
  /** Garbage that has been unused for longer is removed. In milliseconds. */
  readonly olderThanMs: number
  /** Younger blobs, layers, images and caches are removed too, oldest first, until those left have no more bytes than this. */
  readonly keepBytes: number | undefined
  /** A blob that is younger than this is always kept: a package may be about to refer to it. In milliseconds. */
  readonly graceMs: number
}

/** The part of `garbage` to remove, oldest first. */
export function chooseGarbage(garbage: readonly Garbage[], measure: Measure, now: Date): readonly Garbage[] {
  const { olderThanMs, keepBytes = Infinity, graceMs } = measure
  const age = ({ usedAt }: Garbage) => now.getTime() - usedAt.getTime()
  const free = garbage
    .filter((one) => one.kind !== 'blob' || age(one) >= graceMs)
    .sort((a, b) => a.usedAt.getTime() - b.usedAt.getTime() || a.id.localeCompare(b.id))
  const isStore = ({ kind }: Garbage) => kind !== 'staging' && kind !== 'log'
  let kept = free.filter((one) => isStore(one) && age(one) < olderThanMs).reduce((total, { bytes }) => total + bytes, 0)
  return free.filter((one) => {
    if (age(one) >= olderThanMs) return true
    if (!isStore(one) || kept <= keepBytes) return false
    kept -= one.bytes
    return true
  })
}

import type { ArchiveEntry } from './archive-entry.js'

/** Gets what the parser reads, entry by entry, after it has checked it. Paths are from the root; bytes as latin1. */
export interface ArchiveObserver {
  /** `content` is empty. */
  member(path: string, entry: ArchiveEntry): void
  /** `target` is an earlier file. */
  hardLink(path: string, target: string): void
  /** The data of the last member. Of a sparse file, it is the place of each segment, and the data without the holes. */
  data(piece: Buffer): void
}

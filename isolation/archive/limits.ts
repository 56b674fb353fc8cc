/** How much of an archive is looked at before it is refused with `TooLarge` (`archive-too-large`). */
export interface ArchiveLimits {
  /** Of the uncompressed tar. */
  readonly bytes: number
  /** Of all files together, holes included: what lengths alone can do harm to, where holes cost nothing. */
  readonly apparentBytes: number
  /** Directories that only the paths of others tell of count too: each is one on the disk. */
  readonly entries: number
  /** Of all these paths together: they are held in memory until the tree on the disk has been compared with them. */
  readonly pathBytes: number
  /** Segments of a path. */
  readonly depth: number
  /** Uncompressed to compressed bytes; asked only beyond `RATIO_FLOOR_BYTES`. */
  readonly ratio: number
}

const MIB = 1024 ** 2
const GIB = 1024 ** 3
const TIB = 1024 ** 4

export const DEFAULT_ARCHIVE_LIMITS: ArchiveLimits = {
  bytes: 16 * GIB,
  // The longest file that ext4 can hold: what no disk could unpack is refused before it is tried.
  apparentBytes: 16 * TIB,
  entries: 1_000_000,
  pathBytes: 256 * MIB,
  depth: 1024,
  ratio: 2000,
}

/** Below this an honest archive of zeros may be as small as it likes: gzip alone reaches 1000 to 1. */
export const RATIO_FLOOR_BYTES = 256 * MIB

/**
 * Of the files, holes included, of one package in a root: the Engine keeps no holes, so all of it is made, hashed, sent
 * and written in zeros. As much as a package may bring in data.
 */
export const ROOT_LAYER_BYTES = 16 * GIB

/** The kernel takes uids up to 2^32 - 2, but older programs, and some filesystems, read them as signed. */
export const LARGEST_ID = 2 ** 31 - 1

/** Seconds since 1970 that ext4 can keep (1901 to 2446). Beyond, the time on disk is another than the archive's. */
export const EARLIEST_TIME = -(2 ** 31)
export const LATEST_TIME = 2 ** 34 - 2 ** 31 - 1

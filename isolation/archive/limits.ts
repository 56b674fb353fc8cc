/** How much of an archive is looked at before it is refused with `TooLarge` (`archive-too-large`). */
export interface ArchiveLimits {
  /** Of the uncompressed tar. */
  readonly bytes: number
  /** Of all files together, holes included: the Engine writes out the holes of a layer that is loaded into it. */
  readonly apparentBytes: number
  readonly entries: number
  /** Segments of a path. */
  readonly depth: number
  /** Uncompressed to compressed bytes; asked only beyond `RATIO_FLOOR_BYTES`. */
  readonly ratio: number
}

const GIB = 1024 ** 3

export const DEFAULT_ARCHIVE_LIMITS: ArchiveLimits = {
  bytes: 8 * GIB,
  apparentBytes: 8 * GIB,
  entries: 1_000_000,
  depth: 256,
  ratio: 2000,
}

/** Below this an honest archive of zeros may be as small as it likes: gzip alone reaches 1000 to 1. */
export const RATIO_FLOOR_BYTES = 256 * 1024 * 1024

/** PATH_MAX and NAME_MAX of Linux, without the final NUL: what lies beyond cannot be unpacked in one step. */
export const LONGEST_PATH = 4095
export const LONGEST_NAME = 255

/** The kernel takes uids up to 2^32 - 2, but older programs, and some filesystems, read them as signed. */
export const LARGEST_ID = 2 ** 31 - 1

/** Seconds since 1970 that ext4 can keep (1901 to 2446). Beyond, the time on disk is another than the archive's. */
export const EARLIEST_TIME = -(2 ** 31)
export const LATEST_TIME = 2 ** 34 - 2 ** 31 - 1

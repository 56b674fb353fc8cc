/** Limits of an archive. One that exceeds them is refused with `TooLarge` (`archive-too-large`). */
export interface ArchiveLimits {
  /** Of the uncompressed tar. */
  readonly bytes: number
  /** Sum of the lengths of all files, holes included. A sparse file can be long at no cost in archive bytes. */
  readonly apparentBytes: number
  /** Includes implied directories: each becomes a directory on the disk. */
  readonly entries: number
  /** Sum of the lengths of all these paths. They are kept in memory until the unpacked tree is validated. */
  readonly pathBytes: number
  /** Components of a path. */
  readonly depth: number
  /** Uncompressed to compressed bytes; checked only above `RATIO_FLOOR_BYTES`. */
  readonly ratio: number
}

const MIB = 1024 ** 2
const GIB = 1024 ** 3
const TIB = 1024 ** 4

export const DEFAULT_ARCHIVE_LIMITS: ArchiveLimits = {
  bytes: 16 * GIB,
  // The maximum file size of ext4: a file that no disk can hold is refused before it is unpacked.
  apparentBytes: 16 * TIB,
  entries: 1_000_000,
  pathBytes: 256 * MIB,
  depth: 1024,
  ratio: 2000,
}

/** Below this size, the ratio is not checked: an honest archive of zeros reaches 1000 to 1 with gzip. */
export const RATIO_FLOOR_BYTES = 256 * MIB

/**
 * Limit for the files of one package in a root, holes included. The Engine does not keep holes: they are generated,
 * hashed, sent and written as zeros. The limit equals the data limit of a package.
 */
export const ROOT_LAYER_BYTES = 16 * GIB

/** The kernel allows uids up to 2^32 - 2, but older programs and some filesystems read them as signed numbers. */
export const LARGEST_ID = 2 ** 31 - 1

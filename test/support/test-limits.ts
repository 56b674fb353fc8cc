import { type ArchiveLimits, DEFAULT_ARCHIVE_LIMITS } from '../../isolation/archive/limits.js'

/** Small, so that bombs exceed the limits without filling a disk. */
export const TEST_LIMITS: ArchiveLimits = {
  ...DEFAULT_ARCHIVE_LIMITS,
  bytes: 4 * 1024 * 1024,
  apparentBytes: 3 * 1024 * 1024,
  entries: 50,
  pathBytes: 64 * 1024,
  depth: 16,
}

import type { ArchiveReader } from '../../daemon/store/resource-ingest.js'
import { canonicalArchive } from '../../isolation/archive/canonical-archive.js'
import { detectCompression } from '../../isolation/archive/compression.js'
import { chooseCompressor } from '../../isolation/archive/compressor.js'
import type { ArchiveLimits } from '../../isolation/archive/limits.js'
import { scanArchive } from '../../isolation/archive/scan.js'

/** Reads archives as the daemon does. */
export async function realArchives(limits: ArchiveLimits): Promise<ArchiveReader> {
  const compressor = await chooseCompressor()
  return {
    scan: (body, signal) => scanArchive(body, limits, signal),
    detectCompression,
    canonicalise: (body, compression, signal) => canonicalArchive(body, compression, { limits, compressor, signal }),
  }
}

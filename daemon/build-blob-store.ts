import { readdir } from 'node:fs/promises'
import path from 'node:path'
import type { Logger } from 'pino'
import type { CleanupStack } from '../base/cleanup-stack.js'
import { BadInput, Conflict, errnoOf } from '../base/errors.js'
import type { Leases } from '../base/leases.js'
import { SharedLogs } from './log/shared-logs.js'
import type { Settings } from './settings/settings.js'
import type { StateDirectory } from './state-directory.js'
import type { BlobStore } from './store/blob-store.js'
import { CachedBlobStore } from './store/cached-blob-store.js'
import { DirectoryBlobStore } from './store/directory-blob-store.js'
import type { KnownContentOptions } from './store/known-content.js'
import type { Bucket } from './store/s3/index.js'
import { SharedHolds } from './store/shared-holds.js'

/** How often what interrupted writes have left in a bucket is removed, in milliseconds. */
const STALE_EVERY_MS = 6 * 60 * 60 * 1000

export interface BlobStoreParts {
  readonly settings: Settings['blobs']
  readonly state: Pick<StateDirectory, 'blobs' | 'blobCache'>
  /** Certificates that are trusted beside those of Node.js, in PEM. */
  readonly authorities: string | undefined
  readonly known: KnownContentOptions
  /** Identifies the database whose rows refer to the blobs: one that is shared by nodes is the same for all of them. */
  readonly databaseId: string
  /** Digests of blobs in use on this node. Those in a bucket are kept from other nodes too. */
  readonly live: Leases
  /** How long after it was written or touched a blob is not garbage, in milliseconds. */
  readonly graceMs: number
  /** Of a node that shares its database. */
  readonly lease: { readonly leaseMs: number; readonly stopMs: number } | undefined
  readonly logger: Pick<Logger, 'info' | 'warn'>
}

export interface BuiltBlobStore {
  readonly blobs: BlobStore
  /** The logs of stagings that other nodes can read, if the store is one of several nodes. */
  readonly sharedLogs?: SharedLogs
}

/**
 * The store of blobs that the settings choose.
 *
 * Throws `BadInput` (`bad-settings`), `Conflict` (`blobs-in-directory`, `object-store-of-another`),
 * `Unavailable` (`object-store-unavailable`, `object-store-refused`).
 *
 * @param undo gets what closes its connections
 */
export async function buildBlobStore(parts: BlobStoreParts, undo: CleanupStack): Promise<BuiltBlobStore> {
  const { settings, state, known } = parts
  if (settings.store === 'directory') return { blobs: await DirectoryBlobStore.open(state.blobs, known) }
  return await openCachedBucket(parts, undo)
}

/**
 * The bucket that the settings name, claimed for the database. Throws as `buildBlobStore`.
 *
 * @param undo gets what closes its connections
 */
export async function openBucket(
  { settings, state, authorities, databaseId }: Omit<BlobStoreParts, 'known' | 'live' | 'graceMs' | 'lease' | 'logger'>,
  undo: CleanupStack,
): Promise<Bucket> {
  await assertNoBlobsIn(state.blobs)
  const { endpoint, bucket: name, prefix, region } = settings
  if (name === undefined) throw new BadInput('bad-settings', 'blob-store is s3: set s3-bucket to the name of a bucket.')
  // Who keeps blobs in a directory does not load the library.
  const { Bucket, claimBucket, readCredentials } = await import('./store/s3/index.js')
  const credentials = await readCredentials(settings.credentials)
  const bucket = await Bucket.open({ endpoint, bucket: name, prefix, region, credentials, authorities })
  undo.defer('close the connections to the object store', () => bucket.close())
  await claimBucket(bucket, databaseId)
  return bucket
}

async function openCachedBucket(parts: BlobStoreParts, undo: CleanupStack): Promise<BuiltBlobStore> {
  const { settings, state, known, live, graceMs, lease, logger } = parts
  const bucket = await openBucket(parts, undo)
  const { S3BlobStore } = await import('./store/s3/index.js')
  if (!bucket.writesConditionally)
    logger.warn(
      { bucket: settings.bucket },
      'the object store does not write conditionally: two nodes that write the same data in the same millisecond can take it from each other',
    )
  const shared = await S3BlobStore.open(bucket, path.join(state.blobCache, 'new'), known)
  const removeStale = () => {
    shared
      .removeStale()
      .catch((err: unknown) => logger.warn({ err }, 'what interrupted uploads have left could not be removed'))
  }
  const timer = setInterval(removeStale, STALE_EVERY_MS).unref()
  undo.defer('stop to remove what interrupted uploads have left', () => clearInterval(timer))
  removeStale()
  const holds = new SharedHolds({ blobs: shared, live, graceMs, logger })
  live.keepBy(holds)
  holds.start()
  undo.defer('stop to renew the data in use', () => holds.stop())
  // A node that has just held its term has at least the rest of its lease. Without one, no other node has the database.
  const aloneMs = lease ? lease.leaseMs - lease.stopMs : Infinity
  const sharedLogs = new SharedLogs(bucket, logger, { aloneMs })
  undo.defer('stop to write logs to the object store', () => sharedLogs.stop())
  const copies = path.join(state.blobCache, 'copies')
  return { blobs: await CachedBlobStore.open(shared, copies, { maxBytes: settings.cacheBytes }), sharedLogs }
}

/** The packages of this node would lose their data if it looked for them in a bucket. */
async function assertNoBlobsIn(directory: string): Promise<void> {
  const prefixes = await readdir(path.join(directory, 'sha256')).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  })
  for (const prefix of prefixes)
    if ((await readdir(path.join(directory, 'sha256', prefix))).length > 0)
      throw new Conflict(
        'blobs-in-directory',
        `blob-store is s3, but there are data in ${directory}: use a new state directory and move all with stagerd migrate, or set blob-store to directory.`,
      )
}

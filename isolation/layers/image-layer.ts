import { createHash } from 'node:crypto'
import { rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { Fault } from '../../base/errors.js'
import type { MappedOwners } from '../archive/mapped-owners.js'
import { openList } from './layer-list.js'
import { readJson, type LayerRecord } from './layer-record.js'
import { layerTar } from './layer-tar.js'
import { decodeRemovalPath } from '../removal-path.js'
import { syncDirectory } from '../../base/durable-directory.js'
import type { ImageLayer } from './layer.js'

/** Added to a complete layer when its tar is first needed. Nothing else of a complete layer changes. */
const DIGEST = 'engine-tar.json'

export interface TarDigest {
  readonly diffId: string
  readonly tarLength: number
  /** Whether it is known to be that of what the blob gives, and not only that of the tree as it was. */
  readonly fromBlob?: boolean
}

/**
 * The layer in the directory `place` as a layer of an image. An image is identified by the digests of its layer tars, so
 * the tar is generated and hashed once, and the digest is stored durably.
 *
 * The tar is generated again whenever it is opened. Its stream fails with `Fault` (`layer-changed`) if the content differs.
 *
 * @param fresh path of a temporary file on the same filesystem, which does not exist
 */
export async function imageLayer(
  { place, record, owners, changed }: ImageLayerParts,
  fresh: string,
  signal: AbortSignal,
): Promise<ImageLayer> {
  const open = (signal?: AbortSignal) => openTar(place, record, owners, signal)
  const digest = (await readDigest(place)) ?? (await makeDigest(place, open, fresh, signal))
  const { diffId, tarLength } = digest
  return {
    ...{ diffId, tarLength },
    openTar: () => Promise.resolve(Readable.from(verified(open(), diffId, changed), { objectMode: false })),
  }
}

export interface ImageLayerParts {
  readonly place: string
  readonly record: LayerRecord
  /** Those with which the layer was built; the tar does not depend on them. */
  readonly owners: MappedOwners | undefined
  /** Called when the content turns out to differ. */
  readonly changed: () => void
}

export function openTar(
  place: string,
  record: LayerRecord,
  owners: MappedOwners | undefined,
  signal: AbortSignal | undefined,
): Readable {
  const bytes = (path: string) => decodeRemovalPath({ kind: 'removed', path })
  return layerTar(
    {
      tree: join(place, 'tree'),
      openList: () => openList(place),
      whiteouts: record.whiteouts.map(bytes),
      opaque: record.opaque.map(bytes),
      owners,
    },
    signal,
  )
}

/** Undefined if nobody has needed it yet. */
export async function readDigest(place: string): Promise<TarDigest | undefined> {
  const digest = (await readJson(join(place, DIGEST))) as Partial<TarDigest> | undefined
  return digest?.diffId?.startsWith('sha256:') && Number.isSafeInteger(digest.tarLength)
    ? (digest as TarDigest)
    : undefined
}

async function makeDigest(
  place: string,
  open: (signal: AbortSignal) => Readable,
  fresh: string,
  signal: AbortSignal,
): Promise<TarDigest> {
  const digest = await hashTar(open(signal))
  signal.throwIfAborted()
  await writeDigest(place, digest, fresh)
  return digest
}

/** @param pace called after so many bytes; it may delay the next ones */
export async function hashTar(tar: Readable, pace?: (bytes: number) => Promise<void>): Promise<TarDigest> {
  const hash = createHash('sha256')
  let tarLength = 0
  for await (const chunk of tar as AsyncIterable<Buffer>) {
    hash.update(chunk)
    tarLength += chunk.length
    await pace?.(chunk.length)
  }
  return { diffId: `sha256:${hash.digest('hex')}`, tarLength }
}

/** Durably, in the layer at `place`. */
export async function writeDigest(place: string, digest: TarDigest, fresh: string): Promise<void> {
  try {
    await writeFile(fresh, JSON.stringify(digest), { flush: true })
    await rename(fresh, join(place, DIGEST))
  } catch (error) {
    await rm(fresh, { force: true })
    throw error
  }
  await syncDirectory(place)
}

/** Fails at the end of a tar that does not match the stored digest. */
async function* verified(tar: Readable, diffId: string, changed: () => void): AsyncGenerator<Buffer> {
  const hash = createHash('sha256')
  for await (const chunk of tar) {
    hash.update(chunk as Buffer)
    yield chunk as Buffer
  }
  if (`sha256:${hash.digest('hex')}` === diffId) return
  changed()
  throw new Fault(
    'layer-changed',
    `The layer ${diffId} was changed on disk: it is made again when nothing uses it any more, so try again then.`,
  )
}

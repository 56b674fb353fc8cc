import { createHash } from 'node:crypto'
import { rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { Fault } from '../../base/errors.js'
import { openList } from './layer-list.js'
import { readJson, type LayerRecord } from './layer-record.js'
import { layerTar } from './layer-tar.js'
import { decodeRemovalPath } from '../removal-path.js'
import { syncDirectory } from '../../base/durable-directory.js'
import type { ImageLayer } from './layer.js'

/** Added to a layer the first time that somebody wants its tar; nothing else of a whole layer ever changes. */
const DIGEST = 'tar.json'

interface TarDigest {
  readonly diffId: string
  readonly tarLength: number
}

/**
 * The layer in the directory `place` as a part of an image. An image is named by the digests of its layers' tars, so the
 * tar is made once to be hashed; what comes of that is kept, durably.
 *
 * @param fresh path of no file yet, of the same filesystem: what is written there is rubbish until it is moved
 *
 * The tar is made afresh each time that it is opened, and errs with `Fault` (`layer-changed`) where it is not the same.
 */
export async function imageLayer(
  place: string,
  record: LayerRecord,
  fresh: string,
  signal: AbortSignal,
): Promise<ImageLayer> {
  const digest = (await readDigest(place)) ?? (await makeDigest(place, record, fresh, signal))
  return {
    ...digest,
    openTar: () =>
      Promise.resolve(Readable.from(verified(openTar(place, record), digest.diffId), { objectMode: false })),
  }
}

function openTar(place: string, record: LayerRecord, signal?: AbortSignal): Readable {
  const bytes = (path: string) => decodeRemovalPath({ kind: 'removed', path })
  return layerTar(
    {
      tree: join(place, 'tree'),
      openList: () => openList(place),
      whiteouts: record.whiteouts.map(bytes),
      opaque: record.opaque.map(bytes),
    },
    signal,
  )
}

async function readDigest(place: string): Promise<TarDigest | undefined> {
  const digest = (await readJson(join(place, DIGEST))) as Partial<TarDigest> | undefined
  return digest?.diffId?.startsWith('sha256:') && Number.isSafeInteger(digest.tarLength)
    ? (digest as TarDigest)
    : undefined
}

async function makeDigest(place: string, record: LayerRecord, fresh: string, signal: AbortSignal): Promise<TarDigest> {
  const hash = createHash('sha256')
  let tarLength = 0
  for await (const chunk of openTar(place, record, signal)) {
    hash.update(chunk as Buffer)
    tarLength += (chunk as Buffer).length
  }
  signal.throwIfAborted()
  const digest = { diffId: `sha256:${hash.digest('hex')}`, tarLength }
  try {
    await writeFile(fresh, JSON.stringify(digest), { flush: true })
    await rename(fresh, join(place, DIGEST))
  } catch (error) {
    await rm(fresh, { force: true })
    throw error
  }
  await syncDirectory(place)
  return digest
}

/** A tar that is not what it was when its digest was taken is never handed on as a whole. */
async function* verified(tar: Readable, diffId: string): AsyncGenerator<Buffer> {
  const hash = createHash('sha256')
  for await (const chunk of tar) {
    hash.update(chunk as Buffer)
    yield chunk as Buffer
  }
  if (`sha256:${hash.digest('hex')}` !== diffId)
    throw new Fault(
      'layer-changed',
      `The layer ${diffId} was changed on disk: remove its directory, to have it built again.`,
    )
}

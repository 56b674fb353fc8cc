import { mkdir } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { errnoOf, Fault, messageOf } from '../../base/errors.js'
import type { LayerContent } from '../launch-plan.js'
import type { LayerVerifyOptions } from '../layer-verification.js'
import { buildLayer, type LayerBuild } from './build-layer.js'
import { explained } from './disk-full.js'
import { hashTar, openTar, readDigest, writeDigest } from './image-layer.js'
import type { LayerRecord } from './layer-record.js'
import { removeTree } from './remove-tree.js'

export interface Comparison extends LayerBuild {
  /** The layer, and what it was made from. */
  readonly place: string
  readonly record: LayerRecord
  readonly source: LayerContent
  /** Makes a path on the same filesystem, where nothing is. */
  readonly temporaryName: () => string
}

/**
 * Compares all of a layer with its blob: undefined if it is the same, otherwise the end of a sentence about it.
 *
 * The layer tar has everything of the tree, so that the digests of two tars tell. That of the blob is known when the layer was
 * compared once; before that, the blob is unpacked once more.
 *
 * Throws what building a layer throws, and the reason of the signal.
 */
export async function differenceFromBlob(
  comparison: Comparison,
  options: LayerVerifyOptions,
): Promise<string | undefined> {
  const { place, record, owners, temporaryName } = comparison
  const { pace, signal } = options
  try {
    const known = await readDigest(place)
    const expected = known?.fromBlob === true ? known : await digestOfBlob(comparison, options)
    const found = await hashTar(openTar(place, record, owners, signal), pace).catch((error: unknown) => {
      signal.throwIfAborted()
      if (isUnreadable(error)) return messageOf(error)
      throw error
    })
    if (typeof found === 'string') return `cannot be read: ${found.replace(/\.$/, '')}`
    if (found.diffId !== expected.diffId) return 'differs from its blob'
    if (expected !== known) await writeDigest(place, { ...found, fromBlob: true }, temporaryName())
    return undefined
  } catch (error) {
    signal.throwIfAborted()
    throw explained(error)
  }
}

async function digestOfBlob({ source, temporaryName, resources, ...build }: Comparison, options: LayerVerifyOptions) {
  const { pace, signal } = options
  const paced = {
    open: async (sha256: string) => {
      const blob = await resources.open(sha256)
      return Readable.from(slowly(blob, pace), { objectMode: false })
    },
  }
  const directory = temporaryName()
  try {
    await mkdir(directory, { mode: 0o755 })
    const record = await buildLayer(directory, { ...source, name: '' }, { ...build, resources: paced }, signal)
    return await hashTar(openTar(directory, record, build.owners, signal), pace)
  } finally {
    await removeTree(directory)
  }
}

async function* slowly(blob: Readable, pace: (bytes: number) => Promise<void>): AsyncGenerator<Buffer> {
  for await (const chunk of blob as AsyncIterable<Buffer>) {
    await pace(chunk.length)
    yield chunk
  }
}

/** Its list is missing, or tar misses files or cannot read them. */
function isUnreadable(error: unknown): boolean {
  if (error instanceof Fault) return error.code === 'archive-failed'
  return ['ENOENT', 'EIO', 'EBADMSG', 'EUCLEAN'].includes(errnoOf(error) ?? '')
}

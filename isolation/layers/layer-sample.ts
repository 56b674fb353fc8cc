import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { crc32 } from '../../base/crc32.js'
import type { ExpectedKind } from '../archive/expected-tree.js'
import { bytesOf } from '../archive/names.js'
import { encodeRemovalPath, decodeRemovalPath } from '../removal-path.js'

/** Some files of a layer, as they were unpacked. */
export type LayerSample = readonly SampledFile[]

interface SampledFile {
  /** Percent-encoded, as in `Removal.path`. */
  readonly path: string
  readonly size: number
  /** The checksum of its first bytes. */
  readonly crc32: number
}

/** A launch waits for the sample, so that it is small: some milliseconds. */
const MOST_FILES = 32
const MOST_BYTES = 64 * 1024
/** A longer path could not be opened. */
const LONGEST_PATH = 2048

/** Of the regular files in `paths`, evenly spaced. */
export async function takeSample(tree: string, paths: ReadonlyMap<string, ExpectedKind>): Promise<LayerSample> {
  const isUsable = (path: string, kind: ExpectedKind) => kind === 'file' && path.length <= LONGEST_PATH
  let count = 0
  for (const [path, kind] of paths) if (isUsable(path, kind)) count += 1
  const every = Math.max(1, count / MOST_FILES)
  const chosen: string[] = []
  let index = 0
  for (const [path, kind] of paths) {
    if (!isUsable(path, kind)) continue
    if (index >= chosen.length * every && chosen.length < MOST_FILES) chosen.push(path)
    index += 1
  }
  return await Promise.all(chosen.map((path) => look(tree, path)))
}

/** Undefined if all of it is as it was; otherwise the end of a sentence about the layer. */
export async function differenceFrom(sample: LayerSample, tree: string): Promise<string | undefined> {
  const found = await Promise.all(
    sample.map(async (file) => {
      const now = await lookAgain(tree, file).catch(() => undefined)
      return now?.size === file.size && now.crc32 === file.crc32 ? undefined : file.path
    }),
  )
  const different = found.find((path) => path !== undefined)
  return different === undefined
    ? undefined
    : `has another content than what was unpacked, for instance in ${different}`
}

async function lookAgain(tree: string, { path }: SampledFile): Promise<SampledFile> {
  return await look(tree, decodeRemovalPath({ kind: 'removed', path }))
}

/** The tree is one that was validated, and only root can write to it: no link leads out of it. */
async function look(tree: string, path: string): Promise<SampledFile> {
  const file = await open(
    Buffer.concat([Buffer.from(`${tree}/`), bytesOf(path)]),
    constants.O_RDONLY | constants.O_NOFOLLOW,
  )
  try {
    const { size } = await file.stat()
    const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(size, MOST_BYTES)), 0, undefined, 0)
    return { path: encodeRemovalPath(path), size, crc32: crc32(buffer.subarray(0, bytesRead)) }
  } finally {
    await file.close()
  }
}

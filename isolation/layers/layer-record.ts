import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf } from '../../base/errors.js'
import { bytesOf } from '../archive/names.js'

/** What is kept beside a layer's tree, in `layer.json`. */
export interface LayerRecord {
  readonly key: string
  /** `sha256:…` of the layer tar. */
  readonly diffId: string
  readonly tarLength: number
  /** Of all files together, holes included. */
  readonly bytes: number
  /** Hidden in the layers below, percent-encoded as in `Removal.path`. */
  readonly whiteouts: readonly string[]
  /** Directories through which no layer below shows, likewise. */
  readonly opaque: readonly string[]
}

/** The paths of the layer tar, in its order, each ended by a NUL: so that the tar can be made again without a walk. */
const PATHS = 'paths'
const RECORD = 'layer.json'

/** On return both files are on the disk. */
export async function writeRecord(directory: string, record: LayerRecord, paths: readonly string[]): Promise<void> {
  await writeFile(join(directory, PATHS), bytesOf(paths.map((path) => `${path}\0`).join('')), { flush: true })
  await writeFile(join(directory, RECORD), JSON.stringify(record), { flush: true })
}

/** undefined where there is no layer, or a damaged one. */
export async function readRecord(directory: string): Promise<LayerRecord | undefined> {
  let text
  try {
    text = await readFile(join(directory, RECORD), 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
  try {
    const record = JSON.parse(text) as LayerRecord
    return typeof record.key === 'string' && record.diffId.startsWith('sha256:') ? record : undefined
  } catch {
    return undefined
  }
}

export async function readPaths(directory: string): Promise<string[]> {
  return (await readFile(join(directory, PATHS), 'latin1')).split('\0').slice(0, -1)
}

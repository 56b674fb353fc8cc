import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf } from '../../base/errors.js'
import type { LayerContent } from '../launch-plan.js'
import type { LayerSample } from './layer-sample.js'

/** The content of `layer.json`, beside a layer's tree. */
export interface LayerRecord {
  readonly key: string
  /** The total length of all files, including holes. */
  readonly bytes: number
  /** The space on the disk, without holes. */
  readonly diskBytes: number
  /** Paths of whiteouts, percent-encoded as in `Removal.path`. */
  readonly whiteouts: readonly string[]
  /** Paths of opaque directories, encoded likewise. */
  readonly opaque: readonly string[]
  /** What it was made from. Earlier versions did not record that. */
  readonly source?: LayerContent
  /** For a quick look at it. */
  readonly sample?: LayerSample
}

const RECORD = 'layer.json'

export async function writeRecord(directory: string, record: LayerRecord): Promise<void> {
  await writeFile(join(directory, RECORD), JSON.stringify(record))
}

/** Undefined if there is no layer, or one that is damaged or of another format. */
export async function readRecord(directory: string): Promise<LayerRecord | undefined> {
  const record = (await readJson(join(directory, RECORD))) as Partial<LayerRecord> | undefined
  return typeof record?.key === 'string' && typeof record.diskBytes === 'number' ? (record as LayerRecord) : undefined
}

/** Undefined if the file does not exist or does not contain an object. */
export async function readJson(file: string): Promise<object | undefined> {
  let text
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
  try {
    const value: unknown = JSON.parse(text)
    return value instanceof Object ? value : undefined
  } catch {
    return undefined
  }
}

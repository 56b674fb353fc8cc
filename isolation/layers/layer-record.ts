import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf } from '../../base/errors.js'

/** What is kept beside a layer's tree, in `layer.json`. */
export interface LayerRecord {
  readonly key: string
  /** Of all files together, holes included. */
  readonly bytes: number
  /** On the disk, where holes take no room. */
  readonly diskBytes: number
  /** Hidden in the layers below, percent-encoded as in `Removal.path`. */
  readonly whiteouts: readonly string[]
  /** Directories through which no layer below shows, likewise. */
  readonly opaque: readonly string[]
}

const RECORD = 'layer.json'

export async function writeRecord(directory: string, record: LayerRecord): Promise<void> {
  await writeFile(join(directory, RECORD), JSON.stringify(record))
}

/** undefined where there is no layer, a damaged one, or one of another format. */
export async function readRecord(directory: string): Promise<LayerRecord | undefined> {
  const record = (await readJson(join(directory, RECORD))) as Partial<LayerRecord> | undefined
  return typeof record?.key === 'string' && typeof record.diskBytes === 'number' ? (record as LayerRecord) : undefined
}

/** undefined where there is no such file, or no object in it. */
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

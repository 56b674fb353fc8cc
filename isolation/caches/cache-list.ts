import { readFile, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf } from '../../base/errors.js'

/** A directory with what one launch has changed in a cache. It is never changed, and removed as a whole. */
export interface CacheLayer {
  readonly name: string
  readonly bytes: number
  /** The boot of the host in which it was written, until it is known to be on the disk. */
  readonly boot?: string
}

/** What is in a cache. */
export interface CacheList {
  /** The map of owners for which its files were made; empty for none. */
  readonly owners: string
  /** Lowest first. */
  readonly layers: readonly CacheLayer[]
}

const FILE = 'layers.json'
const LAYER_NAME = /^[0-9a-f]{8}$/

/** `damaged`: there is something else than a list. */
export async function readCacheList(directory: string): Promise<CacheList | 'damaged' | undefined> {
  let text
  try {
    text = await readFile(join(directory, FILE), 'utf8')
  } catch (error) {
    return errnoOf(error) === 'ENOENT' ? undefined : 'damaged'
  }
  try {
    const value: unknown = JSON.parse(text)
    return isList(value) ? value : 'damaged'
  } catch {
    return 'damaged'
  }
}

/** Replaces the list at once: whoever reads sees the old one or the new one, also after kill -9. */
export async function writeCacheList(directory: string, list: CacheList): Promise<void> {
  const fresh = join(directory, `new-${FILE}`)
  await writeFile(fresh, JSON.stringify(list), { mode: 0o600 })
  await rename(fresh, join(directory, FILE))
}

export async function removeCacheList(directory: string): Promise<void> {
  await rm(join(directory, FILE), { force: true, recursive: true })
}

/** Its mtime is the time when the cache was last used. */
export function cacheListFile(directory: string): string {
  return join(directory, FILE)
}

/** The cache is used now. */
export async function touchCacheList(directory: string): Promise<void> {
  const now = new Date()
  await utimes(join(directory, FILE), now, now)
}

/** Any other name in the directory of a cache is a layer of an earlier list, or a left-over. */
export function isListFile(name: string): boolean {
  return name === FILE
}

export function sizeOf({ layers }: CacheList): number {
  return layers.reduce((total, { bytes }) => total + bytes, 0)
}

export function areSame(one: CacheList, other: CacheList): boolean {
  return one.layers.map(({ name }) => name).join() === other.layers.map(({ name }) => name).join()
}

function isList(value: unknown): value is CacheList {
  const { owners, layers } = (value ?? {}) as Partial<CacheList>
  return typeof owners === 'string' && Array.isArray(layers) && layers.every(isLayer)
}

/** The name becomes a path. */
function isLayer(value: unknown): value is CacheLayer {
  const { name, bytes, boot } = (value ?? {}) as Partial<CacheLayer>
  return (
    typeof name === 'string' &&
    LAYER_NAME.test(name) &&
    typeof bytes === 'number' &&
    (boot === undefined || typeof boot === 'string')
  )
}

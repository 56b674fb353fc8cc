import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import type { ResourceReader } from '../../isolation/isolation.js'

/** Resources in memory, with the number of times that each was opened. */
export class MemoryResources implements ResourceReader {
  readonly #blobs = new Map<string, Buffer>()
  readonly opened: string[] = []

  add(blob: Buffer): string {
    const sha256 = createHash('sha256').update(blob).digest('hex')
    this.#blobs.set(sha256, blob)
    return sha256
  }

  open(sha256: string): Promise<Readable> {
    this.opened.push(sha256)
    const blob = this.#blobs.get(sha256)
    if (!blob) return Promise.reject(new Error(`no blob ${sha256}`))
    return Promise.resolve(Readable.from([blob], { objectMode: false }))
  }
}

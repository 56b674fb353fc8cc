import { randomUUID } from 'node:crypto'
import { closeSync, createReadStream, openSync, unlinkSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { bytesOf } from '../archive/names.js'

const BATCH_CHARACTERS = 64 * 1024

/**
 * A list of paths on its way to a program that reads them from its standard input, each ended by a NUL. It is kept in a
 * file, so that no tree is too large for the daemon's memory; the file has no name, so that nothing of it is ever left.
 *
 * LIFECYCLE: `add` as often as there are paths; then `read`, which owns the file from there on; or `close`, which may also
 * be called after it.
 */
export class PathSpool {
  count = 0
  #file: number | undefined
  #pending = ''

  constructor() {
    const name = join(tmpdir(), `stagerd-${randomUUID()}`)
    this.#file = openSync(name, 'wx+', 0o600)
    unlinkSync(name)
  }

  /** @param path bytes as latin1 */
  add(path: string): void {
    this.count += 1
    this.#pending += `${path}\0`
    if (this.#pending.length >= BATCH_CHARACTERS) this.#write()
  }

  read(): Readable {
    this.#write()
    const fd = this.#own()
    return createReadStream('', { fd, start: 0, autoClose: true })
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#own())
  }

  #write(): void {
    if (this.#file === undefined) throw new Error('the list is closed')
    for (let rest = bytesOf(this.#pending); rest.length > 0;) rest = rest.subarray(writeSync(this.#file, rest))
    this.#pending = ''
  }

  #own(): number {
    const file = this.#file
    if (file === undefined) throw new Error('the list is closed')
    this.#file = undefined
    return file
  }
}

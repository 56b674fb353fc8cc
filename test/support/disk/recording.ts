import { closeSync, openSync, writeSync } from 'node:fs'
import type { Operation } from './operations.js'

/** What has happened to a recorded file: a write, a barrier (all writes before it are durable), or a mark of the test. */
export type Recorded =
  | { readonly kind: 'write'; readonly offset: number; readonly data: Buffer }
  | { readonly kind: 'barrier' }
  | { readonly kind: 'mark'; readonly text: string }

const KINDS = ['write', 'barrier', 'mark'] as const
const HEADER = 13

/** Writes down what happens to one file, in its order, with the marks of the test in between. */
export class Recorder {
  #file: number | undefined

  /** @param recorded the path of the file from the root of the file system */
  constructor(private readonly recorded: string) {}

  start(file: string): void {
    this.#file = openSync(file, 'w')
  }

  stop(): void {
    if (this.#file !== undefined) closeSync(this.#file)
    this.#file = undefined
  }

  happened({ name, path, data, offset = 0 }: Operation): void {
    if (path !== this.recorded) return
    if (name === 'fsync') this.#add('barrier', 0, Buffer.alloc(0))
    else if (name === 'write' && data) this.#add('write', offset, data)
  }

  mark(text: Buffer): void {
    this.#add('mark', 0, text)
  }

  #add(kind: (typeof KINDS)[number], offset: number, data: Buffer): void {
    if (this.#file === undefined) return
    const header = Buffer.alloc(HEADER)
    header.writeUInt8(KINDS.indexOf(kind), 0)
    header.writeBigUInt64LE(BigInt(offset), 1)
    header.writeUInt32LE(data.length, 9)
    writeSync(this.#file, header)
    writeSync(this.#file, data)
  }
}

export function* readRecording(bytes: Buffer): Generator<Recorded> {
  for (let at = 0; at < bytes.length;) {
    const kind = KINDS[bytes.readUInt8(at)]
    const offset = Number(bytes.readBigUInt64LE(at + 1))
    const end = at + HEADER + bytes.readUInt32LE(at + 9)
    const data = bytes.subarray(at + HEADER, end)
    if (kind === 'write') yield { kind, offset, data }
    else if (kind === 'mark') yield { kind, text: data.toString() }
    else yield { kind: 'barrier' }
    at = end
  }
}

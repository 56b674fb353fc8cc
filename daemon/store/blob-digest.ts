import { createHash, type Hash } from 'node:crypto'
import { BadInput, TooLarge } from '../../base/errors.js'
import type { Blob, BlobWriteOptions } from './blob-store.js'

/** What is written, hashed and compared with what is expected and allowed of it. */
export class BlobDigest {
  readonly #expected: NonNullable<BlobWriteOptions['expected']>
  readonly #maxBytes: number
  readonly #sha256 = createHash('sha256')
  readonly #sha1: Hash | undefined
  #length = 0

  constructor({ expected = {}, maxBytes = Infinity, wantSha1 }: BlobWriteOptions) {
    this.#expected = expected
    this.#maxBytes = maxBytes
    this.#sha1 = wantSha1 === true || expected.sha1 !== undefined ? createHash('sha1') : undefined
  }

  /** To be called for each chunk before it is stored. Throws as soon as the content is longer than it may be. */
  count(bytes: number): void {
    this.#length += bytes
    if (this.#length > this.#maxBytes)
      throw new TooLarge('blob-too-large', `The data is longer than the ${this.#maxBytes} bytes that are allowed.`)
    const { length } = this.#expected
    if (length !== undefined && this.#length > length)
      throw new BadInput('length-mismatch', `The data is longer than the ${length} bytes that were announced.`)
  }

  /** To be called for each chunk that was counted. */
  update(chunk: Buffer): void {
    this.#sha256.update(chunk)
    this.#sha1?.update(chunk)
  }

  /** To be called once, after the last chunk. Throws if the content is not as expected. */
  end(): Blob {
    const blob = { sha256: this.#sha256.digest('hex'), sha1: this.#sha1?.digest('hex'), length: this.#length }
    assertExpected(blob, this.#expected)
    return blob
  }
}

function assertExpected(blob: Blob, expected: NonNullable<BlobWriteOptions['expected']>): void {
  if (expected.length !== undefined && blob.length !== expected.length)
    throw new BadInput(
      'length-mismatch',
      `The data has ${blob.length} bytes, where ${expected.length} were announced: it was cut short or changed on the way.`,
    )
  for (const name of ['sha256', 'sha1'] as const) {
    const wanted = expected[name]
    if (wanted !== undefined && blob[name] !== wanted.toLowerCase())
      throw new BadInput(
        'digest-mismatch',
        `The ${name} of the data is ${String(blob[name])}, where ${wanted} was announced: it was changed on the way.`,
      )
  }
}

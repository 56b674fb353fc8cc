import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { BadInput } from '../../base/errors.js'

/** How an archive is compressed, told by its first bytes and never by its name. */
export type Compression = 'gzip' | 'bzip2' | 'xz' | 'zstd' | 'none'

const MAGIC: readonly { readonly compression: Compression; readonly bytes: readonly number[] }[] = [
  { compression: 'gzip', bytes: [0x1f, 0x8b, 0x08] },
  { compression: 'bzip2', bytes: [0x42, 0x5a, 0x68] },
  { compression: 'xz', bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] },
  { compression: 'zstd', bytes: [0x28, 0xb5, 0x2f, 0xfd] },
]
const ENOUGH = 6

/**
 * What `input` is compressed with; `none` stands for anything else, a plain tar if the scanner finds that it is one.
 * `input` is left whole: what was looked at is put back.
 *
 * Throws `BadInput` (`not-an-archive`) for what is too short to be anything.
 */
export async function detectCompression(input: Readable, signal?: AbortSignal): Promise<Compression> {
  let head = Buffer.alloc(0)
  while (head.length < ENOUGH) {
    const chunk = input.read() as Buffer | null
    if (chunk) {
      head = Buffer.concat([head, chunk])
      continue
    }
    if (input.readableEnded || input.destroyed) {
      if (input.errored) throw input.errored
      throw new BadInput(
        'not-an-archive',
        `An archive is expected: a tar file, plain or compressed by gzip, bzip2, xz or zstd, but there ${
          head.length === 0 ? 'is nothing' : `are only ${head.length} bytes`
        }.`,
      )
    }
    await somethingNew(input, signal)
  }
  // In the same tick as the read: once `end` has been emitted nothing can be put back.
  input.unshift(head)
  const found = MAGIC.find(({ bytes }) => bytes.every((byte, index) => head[index] === byte))
  return found?.compression ?? 'none'
}

async function somethingNew(input: Readable, signal?: AbortSignal): Promise<void> {
  const settled = new AbortController()
  const options = { signal: signal ? AbortSignal.any([signal, settled.signal]) : settled.signal }
  try {
    // `once` rejects when the stream errs meanwhile.
    await Promise.race([once(input, 'readable', options), once(input, 'end', options), once(input, 'close', options)])
  } finally {
    settled.abort()
  }
}

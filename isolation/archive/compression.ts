import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { BadInput } from '../../base/errors.js'
import type { Compression } from '../compression.js'

const MAGIC: readonly { readonly compression: Compression; readonly bytes: readonly number[] }[] = [
  { compression: 'gzip', bytes: [0x1f, 0x8b, 0x08] },
  { compression: 'bzip2', bytes: [0x42, 0x5a, 0x68] },
  { compression: 'xz', bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] },
  { compression: 'zstd', bytes: [0x28, 0xb5, 0x2f, 0xfd] },
]
/** Length of the longest entry of `MAGIC`. */
const MAGIC_LENGTH = 6

/**
 * Detects the compression of `input`, from its first bytes and never from a name. `none` means an unknown format: the scanner then checks that it is a plain tar.
 * The bytes that are read here are pushed back, so `input` can still be read from its start.
 *
 * Throws `BadInput` (`not-an-archive`) for an input that is too short for any format.
 */
export async function detectCompression(input: Readable, signal?: AbortSignal): Promise<Compression> {
  let head = Buffer.alloc(0)
  while (head.length < MAGIC_LENGTH) {
    const chunk = input.read() as Buffer | null
    if (chunk) {
      head = Buffer.concat([head, chunk])
      continue
    }
    if (input.readableEnded || input.destroyed) {
      if (input.errored) throw input.errored
      throw new BadInput(
        'not-an-archive',
        `The archive is ${
          head.length === 0 ? 'empty' : `only ${head.length} bytes long`
        }: send a tar file, plain or compressed with gzip, bzip2, xz or zstd.`,
      )
    }
    await waitForMore(input, signal)
  }
  // In the same tick as the read: nothing can be pushed back after `end` is emitted.
  input.unshift(head)
  const found = MAGIC.find(({ bytes }) => bytes.every((byte, index) => head[index] === byte))
  return found?.compression ?? 'none'
}

async function waitForMore(input: Readable, signal?: AbortSignal): Promise<void> {
  const settled = new AbortController()
  const options = { signal: signal ? AbortSignal.any([signal, settled.signal]) : settled.signal }
  try {
    // `once` rejects when the stream fails.
    await Promise.race([once(input, 'readable', options), once(input, 'end', options), once(input, 'close', options)])
  } finally {
    settled.abort()
  }
}

import { createHash } from 'node:crypto'
import { blobCorrupt } from '../blob-errors.js'

/**
 * The content of a blob, verified against its name while it is read. The last chunk is held back until the digest is
 * verified: a client that counts bytes would have received a damaged blob completely before the error.
 *
 * @param onVerdict called when the content is known
 */
export async function* verified(
  content: AsyncIterable<Buffer>,
  sha256: string,
  length: number,
  onVerdict: (verdict: 'sound' | 'damaged') => void,
): AsyncGenerator<Buffer> {
  const hash = createHash('sha256')
  let bytes = 0
  let last: Buffer | undefined
  for await (const chunk of content) {
    hash.update(chunk)
    bytes += chunk.length
    if (bytes > length) break
    if (last) yield last
    last = chunk
  }
  const sound = bytes === length && hash.digest('hex') === sha256
  onVerdict(sound ? 'sound' : 'damaged')
  if (!sound) throw blobCorrupt(sha256, bytes === length ? 'does not match its digest' : 'has another length')
  if (last) yield last
}

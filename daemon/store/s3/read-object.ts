import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Bucket } from './bucket.js'

/** How often a read that was cut off goes on without any progress, and the first pause before that, in milliseconds. */
const RESUMES = 5
const PAUSE_MS = 100

/**
 * The content of an object. When the connection is lost, it goes on where it was; the caller verifies the whole.
 *
 * @param begun the answer to the first request; its body is destroyed at the end
 */
export async function* readObject(
  bucket: Pick<Bucket, 'get' | 'error'>,
  key: string,
  begun: { readonly length: number; readonly body: Readable },
): AsyncGenerator<Buffer> {
  let { body } = begun
  let read = 0
  let fruitless = 0
  try {
    while (read < begun.length) {
      try {
        for await (const chunk of body as AsyncIterable<Buffer>) {
          read += chunk.length
          fruitless = 0
          yield chunk
        }
        if (read < begun.length) throw new Error('the connection ended early')
      } catch (error) {
        if (fruitless === RESUMES) throw bucket.error(error, 'read on')
        await sleep(PAUSE_MS * 2 ** fruitless++)
        const next = await bucket.get(key, read)
        if (!next) throw bucket.error(new Error('the object was deleted'), 'read on')
        body = next.body
      }
    }
  } finally {
    body.destroy()
  }
}

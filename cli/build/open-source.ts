import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { EnvHttpProxyAgent, interceptors, request } from 'undici'
import { messageOf, NotFound, Unavailable } from '../../base/errors.js'

export interface OpenSource {
  readonly body: Readable
  /** In bytes; 0 when nobody knows. */
  readonly length: number
}

const MOST_REDIRECTIONS = 10

/**
 * The bytes behind an address; whoever opened it reads or destroys the body. Proxies are those of the environment.
 *
 * Throws `NotFound` (`no-such-source`), `Unavailable` (`source-unreachable`).
 */
export async function openSource(url: string, signal: AbortSignal): Promise<OpenSource> {
  if (url.startsWith('file:')) return await openFile(url)
  // Not `fetch`: that would take a .tar.gz apart whose server calls its gzip an encoding, and the digest would be another.
  const agent = new EnvHttpProxyAgent()
  const dispatcher = agent.compose(interceptors.redirect({ maxRedirections: MOST_REDIRECTIONS }))
  try {
    const { statusCode, headers, body } = await request(url, {
      dispatcher,
      signal,
      headers: { 'accept-encoding': 'identity', 'user-agent': 'stagectl' },
    })
    // A connection that is kept for the next request would keep the process, too.
    body.once('close', () => void agent.destroy())
    if (statusCode === 200) return { body, length: Number(headers['content-length'] ?? 0) || 0 }
    await body.dump()
    throw statusCode === 404 || statusCode === 410
      ? new NotFound('no-such-source', `There is no ${url} (status ${statusCode}): correct the address in the script.`)
      : new Unavailable('source-unreachable', `${url} cannot be fetched: the server answered with ${statusCode}.`)
  } catch (error) {
    await agent.destroy()
    signal.throwIfAborted()
    if (error instanceof NotFound || error instanceof Unavailable) throw error
    throw new Unavailable('source-unreachable', `${url} cannot be fetched: ${messageOf(error)}.`, { cause: error })
  }
}

async function openFile(url: string): Promise<OpenSource> {
  try {
    const file = fileURLToPath(url)
    const { size } = await stat(file)
    return { body: createReadStream(file), length: size }
  } catch (error) {
    throw new NotFound('no-such-source', `${url} cannot be read: ${messageOf(error)}.`, { cause: error })
  }
}

import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { NotFound, Unavailable } from '../../base/errors.js'
import { describeSystemError } from '../../base/system-error.js'

export interface SourceStream {
  readonly body: Readable
  /** In bytes; 0 when unknown. */
  readonly length: number
}

const MAX_REDIRECTS = 10

/**
 * Opens a URL as a stream. The caller reads or destroys the body. Proxies come from the environment.
 *
 * Throws `NotFound` (`no-such-source`), `Unavailable` (`source-unreachable`).
 */
export async function openSource(url: string, signal: AbortSignal): Promise<SourceStream> {
  if (url.startsWith('file:')) return await openFile(url)
  // Only builds from a URL need it, and loading it takes as long as a short command.
  const { EnvHttpProxyAgent, interceptors, request } = await import('undici')
  // Not `fetch`: it decompresses a .tar.gz that a server sends with `content-encoding: gzip`, which changes the digest.
  const agent = new EnvHttpProxyAgent()
  const dispatcher = agent.compose(interceptors.redirect({ maxRedirections: MAX_REDIRECTS }))
  try {
    const { statusCode, headers, body } = await request(url, {
      dispatcher,
      signal,
      headers: { 'accept-encoding': 'identity', 'user-agent': 'stagectl' },
    })
    // A keep-alive connection would keep the process running.
    body.once('close', () => void agent.destroy())
    if (statusCode === 200) return { body, length: Number(headers['content-length'] ?? 0) || 0 }
    await body.dump()
    throw statusCode === 404 || statusCode === 410
      ? new NotFound('no-such-source', `There is no ${url} (status ${statusCode}): correct the URL in the script.`)
      : new Unavailable(
          'source-unreachable',
          `${url} cannot be fetched: the server answered with status ${statusCode}.`,
        )
  } catch (error) {
    await agent.destroy()
    signal.throwIfAborted()
    if (error instanceof NotFound || error instanceof Unavailable) throw error
    throw new Unavailable('source-unreachable', `${url} cannot be fetched: ${describeSystemError(error)}.`, {
      cause: error,
    })
  }
}

async function openFile(url: string): Promise<SourceStream> {
  try {
    const file = fileURLToPath(url)
    const { size } = await stat(file)
    return { body: createReadStream(file), length: size }
  } catch (error) {
    throw new NotFound(
      'no-such-source',
      `${url} cannot be read: ${describeSystemError(error)}; correct the URL in the script.`,
      { cause: error },
    )
  }
}

import type { ApiResponse } from '../api/control-api.js'
import { transportError } from '../api/daemon-unreachable.js'
import type { Endpoint } from '../api/endpoint.js'
import { Progress } from '../display/progress.js'
import type { Session } from '../session/session.js'

export interface ReceiveOptions {
  /** Label of the progress bar. */
  readonly label: string
  /** Bytes that an earlier attempt has received. */
  readonly offset?: number
  /** About how long the body is, where the response does not announce it. */
  readonly total?: number
  readonly write: (chunk: Uint8Array) => Promise<void>
}

/**
 * Passes the body of a response to `write` in chunks and shows the progress. Returns its length in bytes.
 *
 * Throws what `write` throws, or `DaemonUnreachable` when the connection is lost.
 */
export async function receiveBody(
  session: Session,
  response: ApiResponse,
  { label, offset = 0, total = 0, write }: ReceiveOptions,
): Promise<number> {
  const { api, output, signal } = session
  const progress = new Progress(output, label, offset + Number(response.headers['content-length'] ?? total))
  progress.add(offset)
  let length = 0
  try {
    for await (const chunk of chunksOf(response, api.endpoint)) {
      length += chunk.length
      progress.add(chunk.length)
      await write(chunk)
    }
    return length
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    progress.stop()
  }
}

/** Translates only errors of the connection: errors of the writer, such as EPIPE, look the same. */
async function* chunksOf({ body }: ApiResponse, endpoint: Endpoint): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of body as AsyncIterable<Uint8Array>) yield chunk
  } catch (error) {
    throw transportError(error, endpoint)
  }
}

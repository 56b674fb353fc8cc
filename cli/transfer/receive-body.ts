import type { Answer } from '../api/control-api.js'
import { transportError } from '../api/daemon-unreachable.js'
import { Progress } from '../display/progress.js'
import type { Session } from '../session/session.js'

export interface Receiving {
  /** What is said beside the progress. */
  readonly verb: string
  /** How much is there already, in bytes. */
  readonly before?: number
  readonly write: (chunk: Uint8Array) => Promise<void>
}

/**
 * The body of an answer, piece by piece, with its progress shown. Resolves with its length in bytes.
 *
 * Throws what `write` throws, or `DaemonUnreachable` when the connection breaks off.
 */
export async function receiveBody(
  session: Session,
  answer: Answer,
  { verb, before = 0, write }: Receiving,
): Promise<number> {
  const { api, output, signal } = session
  const progress = new Progress(output, verb, before + Number(answer.headers['content-length'] ?? 0))
  progress.add(before)
  let length = 0
  try {
    for await (const chunk of chunksOf(answer, api.socketPath)) {
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

/** Only what goes wrong here is the connection's fault: the writer's errors look the same, EPIPE for one. */
async function* chunksOf({ body }: Answer, socketPath: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of body as AsyncIterable<Uint8Array>) yield chunk
  } catch (error) {
    throw transportError(error, socketPath)
  }
}

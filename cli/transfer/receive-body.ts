import { pipeline } from 'node:stream/promises'
import type { Answer } from '../api/control-api.js'
import { transportError } from '../api/daemon-unreachable.js'
import { Progress } from '../display/progress.js'
import { meter } from '../pack/meter.js'
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
  const measured = meter((chunk) => {
    length += chunk.length
    progress.add(chunk.length)
  })
  try {
    await pipeline(
      answer.body,
      measured,
      async (chunks: AsyncIterable<Uint8Array>) => {
        for await (const chunk of chunks) await write(chunk)
      },
      { signal },
    )
    return length
  } catch (error) {
    signal.throwIfAborted()
    throw transportError(error, api.socketPath)
  } finally {
    progress.stop()
  }
}

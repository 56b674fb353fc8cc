import { messageOf } from '../../base/errors.js'
import type { Query } from '../api/control-api.js'
import type { Session } from '../session/session.js'

/**
 * Passes standard input to a program that runs. The returned function ends that, and closes standard input: a read of a
 * terminal that is under way would keep the process from ending.
 *
 * @param path of the API, which takes the input. `query`: of the request
 */
export function sendInput({ api, io, output, signal }: Session, path: string, query: Query = {}): () => Promise<void> {
  const over = new AbortController()
  const either = AbortSignal.any([signal, over.signal])
  const sending = api.send(path, io.stdin, { query, signal: either }).catch(async (error: unknown) => {
    if (!either.aborted) await output.warning(`Standard input could not be passed on: ${messageOf(error)}`)
  })
  return async () => {
    over.abort()
    io.stdin.destroy()
    await sending
  }
}

import type { UploadedResource } from '../../daemon/documents/package.js'
import type { StoredResource } from '../../daemon/documents/exchange.js'
import { Progress } from '../display/progress.js'
import type { Tarball } from '../pack/tarball.js'
import type { Session } from '../session/session.js'

/** In bytes: from here on it is worth a question whether the daemon has it already. */
const WORTH_ASKING = 1024 * 1024

/**
 * Sends a tarball, unless the daemon has it already; when it returns, the daemon has it for good. Disposes of the
 * tarball, whatever came of it.
 *
 * @param namespace of the package that it is for, whose quota holds
 */
export async function upload(
  session: Session,
  tarball: Tarball,
  namespace = session.namespace,
): Promise<StoredResource | UploadedResource> {
  const { api, output, signal } = session
  try {
    const stored = await find(session, tarball)
    if (stored) return stored
    const progress = new Progress(output, 'Uploading', tarball.length)
    try {
      return await api.upload<UploadedResource>(
        '/v1/resources',
        { length: tarball.length, chunks: counted(tarball.read(), progress) },
        { query: { sha256: tarball.sha256, namespace }, signal },
      )
    } finally {
      progress.stop()
    }
  } finally {
    await tarball.dispose()
  }
}

async function find({ api, signal }: Session, { sha256, length }: Tarball): Promise<StoredResource | undefined> {
  if (length < WORTH_ASKING) return undefined
  const found = await api.find<StoredResource>(`/v1/resources/${sha256}`, { signal })
  // One of another length is damaged, and mended by sending it again.
  return found?.length === length ? found : undefined
}

/** Each chunk, once it was taken. */
export async function* counted(chunks: AsyncIterable<Uint8Array>, progress: Progress): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    yield chunk
    progress.add(chunk.length)
  }
}

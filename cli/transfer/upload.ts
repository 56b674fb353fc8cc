import type { UploadedResource } from '../../daemon/api/documents.js'
import { Progress } from '../display/progress.js'
import type { Tarball } from '../pack/tarball.js'
import type { Session } from '../session/session.js'

/** Sends a tarball; when it returns, the daemon has it for good. Disposes of the tarball, whatever came of it. */
export async function upload(session: Session, tarball: Tarball): Promise<UploadedResource> {
  const progress = new Progress(session.output, 'Uploading', tarball.length)
  try {
    return await session.api.upload<UploadedResource>(
      '/v1/resources',
      { length: tarball.length, chunks: counted(tarball.read(), progress) },
      { query: { sha256: tarball.sha256 }, signal: session.signal },
    )
  } finally {
    progress.stop()
    await tarball.dispose()
  }
}

async function* counted(chunks: AsyncIterable<Uint8Array>, progress: Progress): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    yield chunk
    progress.add(chunk.length)
  }
}

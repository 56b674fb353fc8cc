import type { UploadedDroplet } from '../../daemon/documents/droplet.js'
import type { UploadedResource } from '../../daemon/documents/package.js'
import type { StoredResource } from '../../daemon/documents/exchange.js'
import { Progress } from '../display/progress.js'
import type { Tarball } from '../pack/tarball.js'
import type { Session } from '../session/session.js'

/** In bytes. For a shorter tarball, asking whether the daemon has it costs more than the upload. */
const MIN_LOOKUP_SIZE = 1024 * 1024

/**
 * Uploads a tarball, unless the daemon already has it. When this returns, the daemon has stored it durably. Disposes of
 * the tarball in every case.
 *
 * @param namespace of the package that it is for; its quota applies, and the token must be for it
 */
export async function upload(
  session: Session,
  tarball: Tarball,
  namespace: string,
): Promise<StoredResource | UploadedResource> {
  try {
    return (
      (await find(session, tarball)) ?? (await send<UploadedResource>(session, '/v1/resources', tarball, namespace))
    )
  } finally {
    await tarball.dispose()
  }
}

/** The same for a droplet that is to run in `namespace`. What the daemon stores of it has another digest. */
export async function uploadDroplet(session: Session, tarball: Tarball, namespace: string): Promise<UploadedDroplet> {
  try {
    return await send<UploadedDroplet>(session, '/v1/droplets', tarball, namespace)
  } finally {
    await tarball.dispose()
  }
}

async function send<Received>(
  { api, output, signal }: Session,
  path: string,
  tarball: Tarball,
  namespace: string,
): Promise<Received> {
  const progress = new Progress(output, 'Uploading', tarball.length)
  try {
    return await api.upload<Received>(
      path,
      { length: tarball.length, chunks: trackProgress(tarball.read(), progress) },
      { query: { sha256: tarball.sha256, namespace }, signal },
    )
  } finally {
    progress.stop()
  }
}

async function find({ api, signal }: Session, { sha256, length }: Tarball): Promise<StoredResource | undefined> {
  if (length < MIN_LOOKUP_SIZE) return undefined
  const found = await api.find<StoredResource>(`/v1/resources/${sha256}`, { signal })
  // A blob of another length is damaged; uploading it again repairs it.
  return found?.length === length ? found : undefined
}

/** Passes chunks through and reports each one when the reader asks for the next. */
export async function* trackProgress(
  chunks: AsyncIterable<Uint8Array>,
  progress: Progress,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    yield chunk
    progress.add(chunk.length)
  }
}

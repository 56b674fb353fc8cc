import { createHash, type Hash } from 'node:crypto'
import path from 'node:path'
import { Fault } from '../../base/errors.js'
import type { Package } from '../../daemon/documents/package.js'
import { ApiProblem } from '../api/api-problem.js'
import type { ApiResponse } from '../api/control-api.js'
import { packagePath } from '../api/paths.js'
import { formatBytes } from '../display/progress.js'
import { readHandle } from '../pack/read-handle.js'
import type { Session } from '../session/session.js'
import { PartFile } from './part-file.js'
import { receiveBody } from './receive-body.js'

const LABEL = 'Downloading'

/**
 * Downloads the data of a package to `file`. Resumes a partial download of the same data, and starts over when what an
 * earlier attempt has left turns out to be damaged: nothing of it was verified.
 *
 * Throws `Fault` (`download-damaged`) when the digest is not that of the package, and what `assertTarget` throws.
 */
export async function download(session: Session, document: Package, file: string): Promise<{ length: number }> {
  const target = path.resolve(session.io.cwd, file)
  // The digest is part of the file name, so a replaced package does not resume the download of its old data.
  const part = await PartFile.open(target, document.resource?.digest.slice(7, 23) ?? document.uuid)
  let complete = false
  try {
    let received = await receiveInto(session, part, await openRemaining(session, document, part))
    if (received.offset > 0 && !hasDigest(document, received.digest)) {
      await session.output.note(`What an earlier attempt has left of ${file} is damaged: downloading the whole.`)
      received = await receiveInto(session, part, await openData(session, document, {}))
    }
    complete = true
    assertDigest(document, received.digest)
    await part.publish()
    return { length: received.length }
  } catch (error) {
    const isDamaged = error instanceof ApiProblem && error.code === 'blob-corrupt'
    const kept = await part.discard(!complete && !isDamaged)
    if (kept > 0)
      await session.output.note(`Kept ${formatBytes(kept)} of ${file}: the same command resumes the download.`)
    throw error
  }
}

/** Downloads the data of a package to standard output. */
export async function downloadToOutput(session: Session, document: Package): Promise<void> {
  const hash = createHash('sha256')
  const response = await openData(session, document, {})
  const write = async (chunk: Uint8Array) => {
    hash.update(chunk)
    await session.output.bytes(chunk, 'stdout')
  }
  await receiveBody(session, response, { label: LABEL, write })
  assertDigest(document, digestOf(hash))
}

/** Adds the body to what the response leaves of the part file. `offset` is the length of that. */
async function receiveInto(
  session: Session,
  part: PartFile,
  response: ApiResponse,
): Promise<{ readonly offset: number; readonly length: number; readonly digest: string }> {
  const hash = createHash('sha256')
  const offset = await prepareResume(part, response, hash)
  const write = async (chunk: Uint8Array) => {
    hash.update(chunk)
    await part.append(chunk)
  }
  const length = offset + (await receiveBody(session, response, { label: LABEL, offset, write }))
  return { offset, length, digest: digestOf(hash) }
}

async function openRemaining(session: Session, document: Package, part: PartFile): Promise<ApiResponse> {
  if (part.length === 0 || !document.resource) return await openData(session, document, {})
  const headers = { range: `bytes=${part.length}-`, 'if-range': `"${document.resource.digest}"` }
  try {
    return await openData(session, document, headers)
  } catch (error) {
    // 416: the part file is at least as long as the data, yet was not published. It cannot be valid, so start over.
    if (error instanceof ApiProblem && error.status === 416) return await openData(session, document, {})
    throw error
  }
}

/** Returns the offset at which the response starts: the length of the part file, or 0, after truncating it. */
async function prepareResume(part: PartFile, { statusCode }: ApiResponse, hash: Hash): Promise<number> {
  if (statusCode !== 206) {
    await part.truncate()
    return 0
  }
  for await (const chunk of readHandle(part.handle)) hash.update(chunk)
  return part.length
}

function openData(
  session: Session,
  document: Package,
  headers: Readonly<Record<string, string>>,
): Promise<ApiResponse> {
  return session.api.stream(`${packagePath(document.uuid)}/data`, {
    headers: { accept: '*/*', ...headers },
    signal: session.signal,
  })
}

function digestOf(hash: Hash): string {
  return `sha256:${hash.digest('hex')}`
}

function hasDigest({ resource }: Package, digest: string): boolean {
  return !resource || resource.digest === digest
}

function assertDigest(document: Package, digest: string): void {
  if (!hasDigest(document, digest))
    throw new Fault(
      'download-damaged',
      `The data of ${document.fqn} has the digest ${digest} instead of ${String(document.resource?.digest)}: try again, and check the disk of the daemon if it happens again.`,
    )
}

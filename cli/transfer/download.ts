import { createHash, type Hash } from 'node:crypto'
import { access } from 'node:fs/promises'
import path from 'node:path'
import { errnoOf, Fault } from '../../base/errors.js'
import type { Package } from '../../daemon/documents/package.js'
import { ApiProblem } from '../api/api-problem.js'
import type { Answer } from '../api/control-api.js'
import { packagePath } from '../api/paths.js'
import { formatBytes } from '../display/progress.js'
import { readHandle } from '../pack/read-handle.js'
import type { Session } from '../session/session.js'
import { noSuchDirectory, PartFile } from './part-file.js'
import { receiveBody } from './receive-body.js'

const VERB = 'Downloading'

/** Asked before a long wait for the data. Throws `NotFound` (`no-such-directory`). */
export async function assertTarget(session: Session, file: string): Promise<void> {
  const directory = path.dirname(path.resolve(session.io.cwd, file))
  await access(directory).catch((error: unknown) => {
    throw errnoOf(error) === 'ENOENT' ? noSuchDirectory(directory) : error
  })
}

/**
 * A package's data into `file`. What an earlier try has left of the same data beside it is not fetched again.
 *
 * Throws `Fault` (`download-damaged`) when the bytes are not those that the package speaks of, `NotFound`
 * (`no-such-directory`).
 */
export async function download(session: Session, document: Package, file: string): Promise<{ length: number }> {
  const target = path.resolve(session.io.cwd, file)
  // By its digest: what was replaced meanwhile is another file.
  const part = await PartFile.open(target, document.resource?.digest.slice(7, 23) ?? document.uuid)
  let whole = false
  try {
    const hash = createHash('sha256')
    const answer = await openRest(session, document, part)
    const before = await keep(part, answer, hash)
    const write = async (chunk: Uint8Array) => {
      hash.update(chunk)
      await part.append(chunk)
    }
    const length = before + (await receiveBody(session, answer, { verb: VERB, before, write }))
    whole = true
    assertDigest(document, hash)
    await part.publish()
    return { length }
  } catch (error) {
    const kept = await part.abandon(!whole)
    if (kept > 0)
      await session.output.note(`${formatBytes(kept)} of ${file} are kept: the same command goes on from there.`)
    throw error
  }
}

/** A package's data to standard output. */
export async function downloadToOutput(session: Session, document: Package): Promise<void> {
  const hash = createHash('sha256')
  const answer = await openData(session, document, {})
  const write = async (chunk: Uint8Array) => {
    hash.update(chunk)
    await session.output.bytes(chunk, 'stdout')
  }
  await receiveBody(session, answer, { verb: VERB, write })
  assertDigest(document, hash)
}

async function openRest(session: Session, document: Package, part: PartFile): Promise<Answer> {
  if (part.length === 0 || !document.resource) return await openData(session, document, {})
  const headers = { range: `bytes=${part.length}-`, 'if-range': `"${document.resource.digest}"` }
  try {
    return await openData(session, document, headers)
  } catch (error) {
    // As long as the whole or longer, and yet not published: whatever it is, it is not to be trusted.
    if (error instanceof ApiProblem && error.status === 416) return await openData(session, document, {})
    throw error
  }
}

/** What the answer goes on from: all that is there, or nothing. */
async function keep(part: PartFile, { statusCode }: Answer, hash: Hash): Promise<number> {
  if (statusCode !== 206) {
    await part.startOver()
    return 0
  }
  for await (const chunk of readHandle(part.handle)) hash.update(chunk)
  return part.length
}

function openData(session: Session, document: Package, headers: Readonly<Record<string, string>>): Promise<Answer> {
  return session.api.stream(`${packagePath(document.uuid)}/data`, {
    headers: { accept: '*/*', ...headers },
    signal: session.signal,
  })
}

function assertDigest(document: Package, hash: Hash): void {
  const digest = `sha256:${hash.digest('hex')}`
  if (document.resource && document.resource.digest !== digest)
    throw new Fault(
      'download-damaged',
      `The data of ${document.fqn} arrived as ${digest} instead of ${document.resource.digest}: try again, and look at the daemon's disk if it happens again.`,
    )
}

import { createHash, randomUUID } from 'node:crypto'
import { access, open, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { errnoOf, Fault, NotFound } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import type { Package } from '../../daemon/api/documents.js'
import type { Answer } from '../api/control-api.js'
import { transportError } from '../api/daemon-unreachable.js'
import { packagePath } from '../api/paths.js'
import { Progress } from '../display/progress.js'
import { meter } from '../pack/meter.js'
import type { Session } from '../session/session.js'

/** Asked before a long wait for the data. Throws `NotFound` (`no-such-directory`). */
export async function assertTarget(session: Session, file: string): Promise<void> {
  const directory = path.dirname(path.resolve(session.io.cwd, file))
  await access(directory).catch((error: unknown) => {
    throw errnoOf(error) === 'ENOENT' ? noSuchDirectory(directory) : error
  })
}

/**
 * A package's data into `file`: under another name beside it until it is whole, so that nobody ever sees half of it.
 *
 * Throws `Fault` (`download-damaged`) when the bytes are not those that the package speaks of, `NotFound`
 * (`no-such-directory`).
 */
export async function download(session: Session, document: Package, file: string): Promise<{ length: number }> {
  const target = path.resolve(session.io.cwd, file)
  const temporary = path.join(path.dirname(target), `.${path.basename(target).slice(0, 200)}.${randomUUID()}.part`)
  try {
    const handle = await open(temporary, 'wx', 0o666).catch((error: unknown) => {
      if (errnoOf(error) !== 'ENOENT') throw error
      throw noSuchDirectory(path.dirname(target))
    })
    try {
      const length = await receive(session, document, await openData(session, document), (chunk) =>
        handle.appendFile(chunk),
      )
      await handle.sync()
      await rename(temporary, target)
      return { length }
    } finally {
      await handle.close()
    }
  } finally {
    await rm(temporary, { force: true })
  }
}

function noSuchDirectory(directory: string): NotFound {
  return new NotFound('no-such-directory', `There is no directory ${quote(directory)}: make it first.`)
}

/** A package's data to standard output. */
export async function downloadToOutput(session: Session, document: Package): Promise<void> {
  const answer = await openData(session, document)
  await receive(session, document, answer, (chunk) => session.output.bytes(chunk, 'stdout'))
}

function openData(session: Session, document: Package): Promise<Answer> {
  return session.api.stream(`${packagePath(document.uuid)}/data`, {
    headers: { accept: '*/*' },
    signal: session.signal,
  })
}

async function receive(
  session: Session,
  document: Package,
  { body, headers }: Answer,
  write: (chunk: Uint8Array) => Promise<void>,
): Promise<number> {
  const announced = Number(headers['content-length'] ?? 0)
  const progress = new Progress(session.output, 'Downloading', announced)
  const hash = createHash('sha256')
  let length = 0
  const measured = meter((chunk) => {
    hash.update(chunk)
    length += chunk.length
    progress.add(chunk.length)
  })
  try {
    await pipeline(
      body,
      measured,
      async (chunks: AsyncIterable<Uint8Array>) => {
        for await (const chunk of chunks) await write(chunk)
      },
      { signal: session.signal },
    )
  } catch (error) {
    session.signal.throwIfAborted()
    throw transportError(error, session.api.socketPath)
  } finally {
    progress.stop()
  }
  const digest = `sha256:${hash.digest('hex')}`
  if (document.resource && document.resource.digest !== digest)
    throw new Fault(
      'download-damaged',
      `The data of ${document.fqn} arrived as ${digest} instead of ${document.resource.digest}: try again, and look at the daemon's disk if it happens again.`,
    )
  return length
}

import { randomUUID } from 'node:crypto'
import path from 'node:path'
import type { Query } from '../api/control-api.js'
import type { Session } from '../session/session.js'
import { PartFile } from './part-file.js'
import { receiveBody } from './receive-body.js'

export interface Received {
  readonly path: string
  readonly query?: Query
  /** What the progress calls it. */
  readonly label: string
}

/** Receives a file of unknown length, which appears only when it is complete. Returns its length in bytes. */
export async function receiveFile(session: Session, what: Received, file: string): Promise<number> {
  const part = await PartFile.open(path.resolve(session.io.cwd, file), randomUUID())
  try {
    const length = await receive(session, what, (chunk) => part.append(chunk))
    await part.publish()
    return length
  } catch (error) {
    await part.discard(false)
    throw error
  }
}

/** The same to standard output. */
export async function receiveToOutput(session: Session, what: Received): Promise<void> {
  await receive(session, what, (chunk) => session.output.bytes(chunk, 'stdout'))
}

async function receive(
  session: Session,
  { path: from, query, label }: Received,
  write: (chunk: Uint8Array) => Promise<void>,
): Promise<number> {
  const response = await session.api.stream(from, {
    ...(query ? { query } : {}),
    signal: session.signal,
    headers: { accept: '*/*' },
  })
  return await receiveBody(session, response, { label, write })
}

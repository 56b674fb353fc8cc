import { randomUUID } from 'node:crypto'
import path from 'node:path'
import { Readable } from 'node:stream'
import { LEFT_OUT_NAME, readBackup, readLeftOut, type LeftOut } from '../../base/backup-archive.js'
import { readHandle } from '../pack/read-handle.js'
import type { Session } from '../session/session.js'
import { PartFile } from './part-file.js'
import { receiveBody } from './receive-body.js'

export interface BackupFile {
  /** In bytes. */
  readonly length: number
  readonly leftOut: LeftOut[]
}

/**
 * Writes a backup of the node to a file. It appears when it is complete and was read again. Others cannot read it: it has
 * the hashes of tokens, and all data.
 *
 * Throws what `PartFile.open`, `receiveBody` and `readBackup` throw.
 */
export async function backUp(session: Session, file: string): Promise<BackupFile> {
  const part = await PartFile.open(path.resolve(session.io.cwd, file), randomUUID(), 0o600)
  try {
    const length = await receiveBackup(session, (chunk) => part.append(chunk))
    const leftOut = await verify(part)
    await part.publish()
    return { length, leftOut }
  } catch (error) {
    await part.discard(false)
    throw error
  }
}

/** @returns the number of bytes */
export async function receiveBackup(session: Session, write: (chunk: Uint8Array) => Promise<void>): Promise<number> {
  const { api, signal } = session
  const response = await api.stream('/v1/node/backup', { method: 'POST', signal, headers: { accept: '*/*' } })
  const total = Number(response.headers['stagerd-backup-bytes'] ?? 0)
  return await receiveBody(session, response, { label: 'Backing up', total, write })
}

async function verify(part: PartFile): Promise<LeftOut[]> {
  let leftOut: LeftOut[] = []
  for await (const entry of readBackup(Readable.from(readHandle(part.handle))))
    if (entry.name === LEFT_OUT_NAME) leftOut = await readLeftOut(entry)
  return leftOut
}

import { isSha256, isUuid } from '../../base/identifiers.js'

/** The names in a backup are those in a state directory: an archive that is unpacked there works, too. */
export const DATABASE_NAME = 'stagerd.db'

export const LOG_FOLDERS = ['logs', 'bootstraps'] as const
export type LogFolder = (typeof LOG_FOLDERS)[number]

export type BackupFile =
  | { readonly kind: 'database' }
  | { readonly kind: 'blob'; readonly sha256: string }
  | { readonly kind: 'log'; readonly folder: LogFolder; readonly uuid: string }

export function blobName(sha256: string): string {
  return `blobs/sha256/${sha256.slice(0, 2)}/${sha256}`
}

export function logName(folder: LogFolder, uuid: string): string {
  return `${folder}/${uuid}.ndjson`
}

/** What the entry is for; undefined for a name that no backup has. */
export function fileOf(name: string): BackupFile | undefined {
  if (name === DATABASE_NAME) return { kind: 'database' }
  const last = name.slice(name.lastIndexOf('/') + 1)
  if (isSha256(last) && name === blobName(last)) return { kind: 'blob', sha256: last }
  const uuid = last.replace(/\.ndjson$/, '')
  const folder = LOG_FOLDERS.find((one) => isUuid(uuid) && name === logName(one, uuid))
  return folder && { kind: 'log', folder, uuid }
}

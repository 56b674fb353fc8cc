import { createHash, type Hash } from 'node:crypto'
import { Readable } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import { text } from 'node:stream/consumers'
import { extract } from 'tar-stream'
import { BadInput, messageOf, StagerdError } from './errors.js'
import { parseJson } from './parse-json.js'

/** The format, which grows with what an older reader cannot restore. */
export const BACKUP_FORMAT = 1

/** The first entry: a `BackupHead` in JSON. */
export const HEAD_NAME = 'stagerd-backup.json'
/** The entry before the last, if there is something in it: `LeftOut` in JSON. */
export const LEFT_OUT_NAME = 'left-out.json'
/** The last entry: a line for each entry before it, as sha256sum(1) writes and checks them. */
export const SUMS_NAME = 'SHA256SUMS'

/** In bytes. They are read into memory. */
const LONGEST_HEAD = 64 * 1024
const LONGEST_SUMS = 256 * 1024 * 1024

export interface BackupHead {
  readonly format: number
  /** Of the stagerd that has made it. */
  readonly version: string
  /** The version of the schema of the database. */
  readonly schema: number
  readonly node: string
  /** ISO 8601, UTC. */
  readonly taken_at: string
}

/** Data that the node has lost before: it is missing, or its content is not what its name says. */
export interface LeftOut {
  readonly sha256: string
  readonly why: string
}

export interface BackupEntry {
  readonly name: string
  readonly length: number
  /** Its digest is compared at the end of the archive. */
  readonly content: Readable
}

/**
 * Reads a backup: a tar archive of regular files. The iteration ends without an error only if the archive is complete, and
 * the content of each entry is what the last one says. What an entry contains must not be used before that.
 *
 * Throws `BadInput`: `bad-backup` for something else, `backup-too-new`, `backup-damaged`, `backup-incomplete`; and what
 * `body` throws.
 */
export async function* readBackup(body: Readable): AsyncGenerator<BackupEntry> {
  const archive = extract()
  let failure: unknown
  const fed = pipeline(body, (chunks: AsyncIterable<Buffer>) => rethrown(chunks, (error) => (failure = error)), archive)
  fed.catch(() => undefined)
  const digests = new Map<string, string>()
  let sums: string | undefined
  const explain = (error: unknown) => failure ?? errorOf(error, digests.size)
  try {
    for await (const entry of archive) {
      const { name, size, type } = entry.header
      const chunks = entry as AsyncIterable<Buffer>
      if (digests.size === 0 && name !== HEAD_NAME) throw noBackup()
      if (sums !== undefined || type !== 'file' || digests.has(name))
        throw new BadInput(
          'bad-backup',
          `The backup has an entry that does not belong into one: ${JSON.stringify(name)}.`,
        )
      if (name === SUMS_NAME) {
        sums = await readShort(chunks, size, LONGEST_SUMS)
        continue
      }
      const hash = createHash('sha256')
      const content = Readable.from(hashed(chunks, hash, explain), { objectMode: false })
      yield { name, length: size, content }
      // What nobody has read counts, too.
      if (!content.readableEnded) await finished(content.resume())
      digests.set(name, hash.digest('hex'))
    }
    await fed
  } catch (error) {
    throw explain(error)
  } finally {
    body.destroy()
    archive.destroy()
  }
  if (digests.size === 0) throw noBackup()
  if (sums === undefined) throw incomplete()
  compare(digests, sums)
}

/** Throws `BadInput` (`bad-backup`, `backup-too-new`). */
export async function readHead({ name, length, content }: BackupEntry, newestSchema?: number): Promise<BackupHead> {
  if (name !== HEAD_NAME) throw noBackup()
  const head = parse(await readShort(content as AsyncIterable<Buffer>, length, LONGEST_HEAD))
  if (head.format > BACKUP_FORMAT || (newestSchema !== undefined && head.schema > newestSchema))
    throw new BadInput(
      'backup-too-new',
      `The backup was made by stagerd ${head.version}, with version ${head.schema} of the database; this stagerd knows versions up to ${newestSchema ?? head.schema}: restore it with that version or a later one.`,
    )
  return head
}

/** Of the entry `LEFT_OUT_NAME`. Throws `BadInput` (`bad-backup`, `backup-damaged`). */
export async function readLeftOut({ content, length }: BackupEntry): Promise<LeftOut[]> {
  const found = parseJson(await readShort(content as AsyncIterable<Buffer>, length, LONGEST_SUMS))
  if (Array.isArray(found) && found.every(isLeftOut)) return found
  throw damaged(LEFT_OUT_NAME)
}

function isLeftOut(value: unknown): value is LeftOut {
  const { sha256, why } = (value ?? {}) as Record<string, unknown>
  return typeof sha256 === 'string' && typeof why === 'string'
}

/** The text of the last entry. */
export function printSums(digests: ReadonlyMap<string, string>): string {
  return [...digests].map(([name, digest]) => `${digest}  ${name}\n`).join('')
}

function parse(text: string): BackupHead {
  const head = (parseJson(text) ?? {}) as Partial<BackupHead>
  if (Number.isInteger(head.format) && Number.isInteger(head.schema)) return head as BackupHead
  throw noBackup()
}

function compare(digests: ReadonlyMap<string, string>, sums: string): void {
  const expected = new Map<string, string>()
  for (const line of sums.split('\n')) if (line !== '') expected.set(line.slice(66), line.slice(0, 64))
  for (const [name, digest] of digests) {
    if (expected.get(name) !== digest) throw damaged(name)
    expected.delete(name)
  }
  for (const name of expected.keys()) throw damaged(name)
}

/** Errors are explained here, too: whoever reads the content gets them first. */
async function* hashed(
  entry: AsyncIterable<Buffer>,
  hash: Hash,
  explain: (error: unknown) => unknown,
): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of entry) {
      hash.update(chunk)
      yield chunk
    }
  } catch (error) {
    throw explain(error)
  }
}

async function readShort(content: AsyncIterable<Buffer>, length: number, longest: number): Promise<string> {
  if (length > longest) throw new BadInput('bad-backup', `An entry of the backup is longer than ${longest} bytes.`)
  return await text(Readable.from(content))
}

/** A reader of archives that fails destroys the body with its own error: those of the body are told before. */
async function* rethrown(chunks: AsyncIterable<Buffer>, tell: (error: unknown) => void): AsyncGenerator<Buffer> {
  try {
    yield* chunks
  } catch (error) {
    tell(error)
    throw error
  }
}

/** The reader of archives knows two errors: an early end, and a bad header. */
function errorOf(error: unknown, entries: number): unknown {
  if (error instanceof StagerdError) return error
  if (entries === 0) return noBackup()
  return /^Invalid tar header/.test(messageOf(error)) ? damaged('the header of an entry') : incomplete()
}

function noBackup(): BadInput {
  return new BadInput('bad-backup', 'This is not a backup of stagerd: give a file that `stagectl node backup` wrote.')
}

function incomplete(): BadInput {
  return new BadInput('backup-incomplete', 'The backup was cut short, and nothing of it was used: take another one.')
}

function damaged(name: string): BadInput {
  return new BadInput(
    'backup-damaged',
    `The backup is damaged at ${JSON.stringify(name)}, and nothing of it was used: take another one.`,
  )
}

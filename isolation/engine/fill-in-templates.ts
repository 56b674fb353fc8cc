import { posix } from 'node:path'
import { pipeline, Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { extract, pack, type Header } from 'tar-stream'
import { BadInput, TooLarge } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import type { RootTemplate } from '../isolation.js'

/** Enough for any configuration, and little enough for the memory of the daemon. */
const MAX_BYTES = 1024 * 1024

/** The files of a container that has not started. */
export interface RootFiles {
  /** A tar of the file; undefined if there is nothing of this path. */
  readTar(path: string): Promise<NodeJS.ReadableStream | undefined>
  writeTar(archive: Buffer, directory: string): Promise<void>
}

/**
 * Fills in files of a root before its program starts. The Engine writes them to the upper layer of the container, so that
 * the layers of the packages stay as they are. Owners and permissions stay too.
 *
 * Throws `BadInput` (`no-template`), `TooLarge` (`template-too-large`), and what a template throws.
 */
export async function fillInTemplates(
  files: RootFiles,
  templates: readonly RootTemplate[],
  signal: AbortSignal,
): Promise<void> {
  // One after the other: a file may be in several templates, with other delimiters.
  for (const template of templates) {
    signal.throwIfAborted()
    const { path, header, content } = await find(files, template.paths)
    const filled = template.fillIn(path, content)
    if (filled.equals(content)) continue
    const { mode, uid, gid, mtime } = header
    const archive = pack()
    archive.entry({ name: posix.basename(path), mode, uid, gid, mtime }, filled)
    archive.finalize()
    await files.writeTar(await buffer(Readable.from(archive)), posix.dirname(path))
  }
}

interface Found {
  readonly path: string
  readonly header: Header
  readonly content: Buffer
}

async function find(files: RootFiles, paths: readonly string[]): Promise<Found> {
  for (const path of paths) {
    const tar = await files.readTar(path)
    if (tar) return { path, ...(await readSingle(tar, path)) }
  }
  throw new BadInput(
    'no-template',
    `There is no file ${paths.join(' or ')} for a template: name one by its path from the root of the package, or from its START_PATH.`,
  )
}

async function readSingle(tar: NodeJS.ReadableStream, path: string): Promise<Omit<Found, 'path'>> {
  // Whoever ends first destroys the other, so that the connection to the Engine is not left open.
  const entries = pipeline(tar, extract(), () => undefined)
  for await (const entry of entries) {
    const { header } = entry
    if (header.type !== 'file')
      throw new BadInput('no-template', `${quote(path)} is a ${header.type}, and no template: name the file itself.`)
    if (header.size > MAX_BYTES)
      throw new TooLarge(
        'template-too-large',
        `The template ${path} is larger than 1 MiB: keep its placeholders in a smaller file.`,
      )
    return { header, content: await buffer(entry) }
  }
  throw new BadInput('no-template', `${quote(path)} cannot be read as a template.`)
}

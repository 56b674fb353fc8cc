import { realpath, stat } from 'node:fs/promises'
import path from 'node:path'
import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { bytePath, joined, nativePath, shownPath } from '../../base/byte-path.js'
import { topOfSource } from '../pack/walk-source.js'

/** The limit of the control API. */
const MOST = 100_000

/** What lies at the top of a source: names, with a slash after those of directories, and the file of each. */
export type SourceTop = ReadonlyMap<string, string | Buffer>

/**
 * Only what is uploaded: no ignored entries, sockets and devices.
 *
 * Throws `BadInput` (`too-many-names`), and as `topOfSource`.
 *
 * @param source absolute path of what is there; a file is taken as a directory that holds only this file
 */
export async function readSourceTop(source: string): Promise<SourceTop> {
  const found = await realpath(source)
  if (!(await stat(found)).isDirectory()) return new Map([[path.basename(source), found]])
  const root = bytePath(found)
  const entries = topOfSource(root).filter(({ kind }) => kind !== 'socket' && kind !== 'special')
  if (entries.length > MOST)
    throw new BadInput(
      'too-many-names',
      `${quote(source)} has ${entries.length} entries at its top, and a pipeline is detected from at most ${MOST}: give one with --pipeline.`,
    )
  return new Map(
    entries.map(({ path: name, kind }) => [
      kind === 'directory' ? `${shownPath(name)}/` : shownPath(name),
      nativePath(joined(root, name)),
    ]),
  )
}

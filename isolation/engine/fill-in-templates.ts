import type { Stats } from 'node:fs'
import { BadInput, TooLarge } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { placed } from '../../base/mistake-at.js'
import { MOUNTED_FILES } from '../injected-files.js'
import type { RootTemplate } from '../isolation.js'
import type { RootTree } from './root-tree.js'

/** Enough for any configuration, and little enough for the memory of the daemon. */
const MAX_BYTES = 1024 * 1024

/** Of all that one run has filled in. Stagers write templates, and the daemon holds the result. */
const MAX_FILLED_BYTES = 16 * 1024 * 1024

/** Each becomes a mount. */
const MAX_TEMPLATES = 1000

export interface FilledFile {
  /** In the root, without links. */
  readonly path: string
  readonly content: Buffer
  /** Of the original, in the ids of the host. */
  readonly stats: Pick<Stats, 'uid' | 'gid' | 'mode'>
}

/**
 * Fills in files of a root. Those that stay the same are not in the result.
 *
 * Throws `BadInput` (`no-template`), `TooLarge` (`template-too-large`, `too-many-templates`), and what a template throws.
 *
 * @param root one that nobody changes
 */
export async function fillInTemplates(
  root: RootTree,
  templates: readonly RootTemplate[],
  signal: AbortSignal,
): Promise<FilledFile[]> {
  if (templates.length > MAX_TEMPLATES)
    throw new TooLarge(
      'too-many-templates',
      `The packages of this run have ${templates.length} templates, and at most ${MAX_TEMPLATES} are filled in: keep their placeholders in fewer files.`,
    )
  const filled = new Map<string, FilledFile>()
  let bytes = 0
  // One after the other: a file may be in several templates, with other delimiters.
  for (const template of templates) {
    signal.throwIfAborted()
    try {
      const { name, path, stats } = await find(root, template.paths)
      const before = filled.get(path)?.content ?? (await root.read(path, 0, stats.size))
      const content = template.fillIn(name, before)
      if (content.equals(before)) continue
      filled.set(path, { path, content, stats })
      bytes += content.length
      if (bytes > MAX_FILLED_BYTES) throw tooLargeTogether(name)
    } catch (error) {
      throw placed(template.place, error)
    }
  }
  return [...filled.values()]
}

function tooLargeTogether(name: string): TooLarge {
  return new TooLarge(
    'template-too-large',
    `The templates up to ${quote(name)} are larger than 16 MiB together when they are filled in: keep their placeholders in smaller files.`,
  )
}

interface FoundTemplate extends Pick<FilledFile, 'path' | 'stats'> {
  /** As the template names it, for messages. */
  readonly name: string
  readonly stats: Stats
}

async function find(root: RootTree, names: readonly string[]): Promise<FoundTemplate> {
  for (const name of names) {
    const found = await root.find(name, 'keep')
    if (found.kind === 'missing') continue
    // Directories of the kernel, and too many links.
    if (found.kind !== 'there') throw noTemplate(name, 'is no file of a package')
    const { path, stats } = found
    assertTemplate(name, path, stats)
    return { name, path, stats }
  }
  throw new BadInput(
    'no-template',
    `There is no file ${names.join(' or ')} for a template: name one by its path from the root of the package, or from its START_PATH.`,
  )
}

function assertTemplate(name: string, path: string, stats: Stats): void {
  if (stats.isSymbolicLink()) throw noTemplate(name, 'is a symbolic link')
  if (stats.isDirectory()) throw noTemplate(name, 'is a directory')
  if (!stats.isFile()) throw noTemplate(name, 'is a device, a named pipe or a socket')
  if (MOUNTED_FILES.has(path.slice(1))) throw noTemplate(name, 'is made for each container')
  if (stats.size > MAX_BYTES)
    throw new TooLarge(
      'template-too-large',
      `The template ${quote(name)} is larger than 1 MiB: keep its placeholders in a smaller file.`,
    )
}

function noTemplate(name: string, what: string): BadInput {
  return new BadInput('no-template', `${quote(name)} ${what}, and no template: name a regular file of the package.`)
}

import { lstatSync } from 'node:fs'
import { realpath } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { errnoOf } from '../../base/errors.js'
import { bytesOf, parentOf } from '../archive/names.js'
import { isEngineLayer } from './engine-layer.js'
import { isOpaque } from './overlay-entry.js'
import { readOverlayMarks } from './overlay-marks.js'

/** What is below the upper directory. */
export interface LowerLayers {
  /** Whether any layer has an entry at `path`; true if that is unknown. */
  mayHold(path: string): boolean
  /**
   * Whether all layers together show an entry at `path`; true if that is unknown. Unlike `mayHold`, it reads attributes in
   * another process.
   */
  shows(path: string): Promise<boolean>
}

/** Without knowledge of the layers, every whiteout counts as a removal. */
export const UNKNOWN_LOWER: LowerLayers = { mayHold: () => true, shows: () => Promise.resolve(true) }

/**
 * Directories of layers, which no stager can write to. `mayHold` does not find out which entries a layer hides in the
 * layers below it: a superfluous removal does not change what is visible over the same layers.
 *
 * Each component of a path gets an `lstat` of its own, so that a symbolic link in a layer is never followed out of it.
 */
export class LowerDirectories implements LowerLayers {
  /**
   * The components of the directory that was asked for last, each with the layers that have it. A walk asks for
   * neighbours, so this cache answers most questions, and it never holds more than one path.
   */
  readonly #chain: { readonly path: string; readonly roots: readonly string[] }[]

  private constructor(private readonly roots: readonly string[]) {
    this.#chain = [{ path: '', roots }]
  }

  /**
   * Leaves out the layer that the Engine puts between the image and the upper directory, if there is one.
   *
   * @param directories absolute paths, topmost first
   */
  static async of(directories: readonly string[]): Promise<LowerDirectories> {
    // overlay2 names layers by short symbolic links in the mount options.
    const real = await Promise.all(directories.map((directory) => realpath(directory)))
    const [topmost] = real
    return new LowerDirectories(topmost !== undefined && (await isEngineLayer(topmost)) ? real.slice(1) : real)
  }

  mayHold(path: string): boolean {
    return this.#having(parentOf(path)).some((root) => kindAt(root, path) !== 'nothing')
  }

  async shows(path: string): Promise<boolean> {
    for (const root of this.roots) {
      const above: string[] = []
      for (const part of [...ancestorsOf(path), path]) {
        const kind = kindAt(root, part)
        if (kind === 'nothing') break
        if (part === path) return kind !== 'whiteout'
        // A whiteout, or a file where the layers below can have a directory.
        if (kind !== 'directory') return false
        above.push(part)
      }
      if (await hasOpaque(root, above)) return false
    }
    return false
  }

  /** The layers that have the directory. */
  #having(directory: string): readonly string[] {
    const chain = this.#chain
    for (;;) {
      const { path, roots } = chain.at(-1) ?? { path: '', roots: [] }
      if (path === directory) return roots
      if (path !== '' && !directory.startsWith(`${path}/`)) {
        chain.pop()
        continue
      }
      // No layer has this directory, so none has anything in it.
      if (roots.length === 0) return roots
      const end = directory.indexOf('/', path === '' ? 0 : path.length + 1)
      const next = end < 0 ? directory : directory.slice(0, end)
      chain.push({ path: next, roots: roots.filter((root) => kindAt(root, next) === 'directory') })
    }
  }
}

/** Topmost first, without the root. */
function ancestorsOf(path: string): string[] {
  const above: string[] = []
  for (let parent = parentOf(path); parent !== ''; parent = parentOf(parent)) above.unshift(parent)
  return above
}

async function hasOpaque(root: string, directories: readonly string[]): Promise<boolean> {
  if (directories.length === 0) return false
  const list = Readable.from(directories.map((path) => bytesOf(`${path}\0`)))
  let has = false
  for await (const { marks } of readOverlayMarks(root, list)) has ||= isOpaque(marks)
  return has
}

function kindAt(root: string, path: string): 'nothing' | 'directory' | 'whiteout' | 'other' {
  try {
    const place = Buffer.concat([Buffer.from(`${root}/`), bytesOf(path)])
    // An exception takes five times as long, and most questions are about entries that do not exist.
    const stats = lstatSync(place, { throwIfNoEntry: false })
    if (stats === undefined) return 'nothing'
    if (stats.isDirectory()) return 'directory'
    return stats.isCharacterDevice() && stats.rdev === 0 ? 'whiteout' : 'other'
  } catch (error) {
    // A path that is too long from the root of the host is too long for the Engine too: it cannot have unpacked it.
    if (['ENOTDIR', 'ENAMETOOLONG'].includes(errnoOf(error) ?? '')) return 'nothing'
    throw error
  }
}

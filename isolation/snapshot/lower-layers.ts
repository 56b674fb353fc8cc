import { lstatSync } from 'node:fs'
import { realpath } from 'node:fs/promises'
import { errnoOf } from '../../base/errors.js'
import { bytesOf, parentOf } from '../archive/names.js'
import { isEngineLayer } from './engine-files.js'

/** What lies below the upper directory. */
export interface LowerLayers {
  /** Whether any layer has something at `path`; where that is not known, true. */
  mayHold(path: string): boolean
}

/** Nothing is known: each removal is taken to remove something. */
export const UNKNOWN_LOWER: LowerLayers = { mayHold: () => true }

/**
 * Directories of layers, which no stager can write. Layers that hide each other are not told apart: a removal too many
 * does not change what is seen over these same layers.
 *
 * Each step of a path is looked at by itself, so that a symbolic link of a layer is never followed out of it.
 */
export class LowerDirectories implements LowerLayers {
  /**
   * The way to the directory that was asked for last, and for each step of it the layers that have it. A walk asks for
   * what is near: so it is quick, and never more than one way is remembered.
   */
  readonly #way: { readonly path: string; readonly roots: readonly string[] }[]

  private constructor(roots: readonly string[]) {
    this.#way = [{ path: '', roots }]
  }

  /**
   * Without the layer that Docker puts between those of the image and the upper directory, if it is there.
   *
   * @param directories absolute paths, topmost first
   */
  static async of(directories: readonly string[]): Promise<LowerDirectories> {
    // overlay2 names layers in mount options by short symbolic links.
    const real = await Promise.all(directories.map((directory) => realpath(directory)))
    const [topmost] = real
    return new LowerDirectories(topmost !== undefined && (await isEngineLayer(topmost)) ? real.slice(1) : real)
  }

  mayHold(path: string): boolean {
    return this.#having(parentOf(path)).some((root) => kindAt(root, path) !== 'nothing')
  }

  /** The layers that have the directory. */
  #having(directory: string): readonly string[] {
    const way = this.#way
    for (;;) {
      const { path, roots } = way.at(-1) ?? { path: '', roots: [] }
      if (path === directory) return roots
      if (path !== '' && !directory.startsWith(`${path}/`)) {
        way.pop()
        continue
      }
      // What no layer has, holds nothing that any has.
      if (roots.length === 0) return roots
      const end = directory.indexOf('/', path === '' ? 0 : path.length + 1)
      const next = end < 0 ? directory : directory.slice(0, end)
      way.push({ path: next, roots: roots.filter((root) => kindAt(root, next) === 'directory') })
    }
  }
}

function kindAt(root: string, path: string): 'nothing' | 'directory' | 'other' {
  try {
    const place = Buffer.concat([Buffer.from(`${root}/`), bytesOf(path)])
    // Without an exception, which takes five times as long: for most questions there is nothing.
    const stats = lstatSync(place, { throwIfNoEntry: false })
    if (stats === undefined) return 'nothing'
    return stats.isDirectory() ? 'directory' : 'other'
  } catch (error) {
    // Too long a way from the root of the host is too long for the Engine, too: it cannot have put anything there.
    if (['ENOTDIR', 'ENAMETOOLONG'].includes(errnoOf(error) ?? '')) return 'nothing'
    throw error
  }
}

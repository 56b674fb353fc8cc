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
  readonly #directories = new Map<string, boolean>()

  private constructor(private readonly roots: readonly string[]) {}

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
    return this.roots.some((root) => this.#isDirectory(root, parentOf(path)) && kindAt(root, path) !== 'nothing')
  }

  #isDirectory(root: string, path: string): boolean {
    if (path === '') return true
    const key = `${root}\0${path}`
    let known = this.#directories.get(key)
    if (known === undefined) {
      known = this.#isDirectory(root, parentOf(path)) && kindAt(root, path) === 'directory'
      this.#directories.set(key, known)
    }
    return known
  }
}

function kindAt(root: string, path: string): 'nothing' | 'directory' | 'other' {
  try {
    const stats = lstatSync(Buffer.concat([Buffer.from(`${root}/`), bytesOf(path)]))
    return stats.isDirectory() ? 'directory' : 'other'
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return 'nothing'
    throw error
  }
}

import { chmod, chown, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { BoundFile } from '../engine/container-options.js'
import { fillInTemplates, type FilledFile } from '../engine/fill-in-templates.js'
import { RootTree, type Identity } from '../engine/root-tree.js'
import { mountOverlay, unmount } from '../host/mounts.js'
import { mountSource, type Owner } from '../host/ownership.js'
import { makeRunScratch, removeScratch, scratchOf, type Scratch } from '../host/scratch.js'
import type { RootTemplate } from '../isolation.js'
import type { Layer, LayerCache } from '../layers/layer.js'
import type { AfterContainer } from './after-container.js'
import { lowerDirectories } from './lower-directories.js'

export interface FilledTemplatesParts {
  readonly owner: Owner
  readonly stateDirectory: string
  readonly layers: Pick<LayerCache, 'directory'>
}

/** The daemon may read every file of a package. */
const DAEMON: Identity = { uid: 0, gids: new Set(), overrides: true }

/**
 * The templates of a run, filled in. They are read from the layers of the root, which a read-only overlay shows as the
 * container sees them, and written to files of this run, which are bound over the originals:
 *
 *   layers (shared, read-only)         scratch directory          container
 *   app/shop.conf  host={{name}}  ──>  files/0  host=shop  ──>  /app/shop.conf
 *
 * The program may write to them as far as their owner and mode allow it. What it writes counts against its disk limit. It
 * cannot remove or rename them, because they are mount points.
 *
 * LIFECYCLE: `deferUndo` registers the cleanup first. `make` comes before the creation of the container.
 */
export class FilledTemplates {
  readonly #parts: FilledTemplatesParts
  readonly #layers: readonly Layer[]
  readonly #scratch: Scratch

  /** @param layers lowest first; the caller holds them */
  constructor(parts: FilledTemplatesParts, id: string, layers: readonly Layer[]) {
    this.#parts = parts
    this.#layers = layers
    this.#scratch = scratchOf(parts.stateDirectory, id)
  }

  /** On the host: all that the container can write here. */
  get directory(): string {
    return this.#scratch.files
  }

  deferUndo(after: AfterContainer): void {
    after.defer('remove the scratch directory', (deadline) => removeScratch(this.#scratch, deadline))
    after.defer('unmount the layers of the templates', (deadline) => unmount(this.#scratch.merged, deadline))
  }

  /** Throws as `fillInTemplates`, and `BadInput` (`too-many-layers`). */
  async make(templates: readonly RootTemplate[], signal: AbortSignal): Promise<BoundFile[]> {
    const { merged } = this.#scratch
    await makeRunScratch(this.#scratch)
    await this.#mount(signal)
    const filled = await fillInTemplates(new RootTree(merged, DAEMON), templates, signal)
    await unmount(merged, signal)
    return await Promise.all(filled.map((file, index) => this.#write(file, String(index))))
  }

  async #mount(signal: AbortSignal): Promise<void> {
    const { owner, layers } = this.#parts
    const { ground, merged } = this.#scratch
    const lowers = lowerDirectories(this.#layers, ground)
    await mountOverlay({ source: mountSource(owner), base: layers.directory, lowers, target: merged }, signal)
  }

  async #write({ path, content, stats }: FilledFile, name: string): Promise<BoundFile> {
    const source = join(this.#scratch.files, name)
    await writeFile(source, content, { flag: 'wx', mode: 0o600 })
    await chown(source, stats.uid, stats.gid)
    // After chown(2), which removes the set-user-ID bit.
    await chmod(source, stats.mode & 0o7777)
    return { source, target: path }
  }
}

import { chmod, chown, lstat, mkdir, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Stats } from 'node:fs'
import { BadInput, errnoOf } from '../../base/errors.js'
import type { Holder } from '../../base/leases.js'
import { settleAll } from '../../base/settle-all.js'
import { type MappedOwners, type OwnerIds, rootOnDisk } from '../archive/mapped-owners.js'
import type { Layer, LayerCache } from '../layers/layer.js'
import {
  bindInContainer,
  mountOverlay,
  shareMountPoint,
  unmount,
  unmountShared,
  type OverlayMount,
} from '../host/mounts.js'
import { mountSource, type Owner } from '../host/ownership.js'
import { makeScratch, removeScratch, scratchOf, type Scratch } from '../host/scratch.js'
import type { LayerSource } from '../launch-plan.js'
import type { AfterContainer } from './after-container.js'
import { lowerDirectories } from './lower-directories.js'
import type { Step } from './step.js'

export interface StagerfsParts {
  readonly owner: Owner
  /** Holds the scratch directories of launches. */
  readonly stateDirectory: string
  readonly layers: LayerCache
  /** Content by absolute path, at the bottom of every /stagerfs. */
  readonly extraFiles: ReadonlyMap<string, string>
  /** Those of the container. */
  readonly owners: MappedOwners | undefined
}

/** As in every container on a user-defined network: the resolver of Docker listens at this address. */
const RESOLV_CONF = 'nameserver 127.0.0.11\noptions ndots:0\n'

const HOSTS = '127.0.0.1\tlocalhost\n'

/**
 * /stagerfs of a launch: the layers of the package's dependencies, with a private upper directory on top.
 *
 *   lower (shared, read-only)            upper (private)
 *   bin/ etc/ usr/ ...              +    etc/resolv.conf  proc/  dev/  tmp/
 *
 * LIFECYCLE: `deferUndo` registers the cleanup first. After `makeDirectories` the Engine can bind `mountPoint` into a
 * container. `mount` comes before the start of the container, or any time later after `share`; `mountKernelFilesystems`
 * comes after both.
 */
export class Stagerfs {
  readonly #parts: StagerfsParts
  readonly #holder: Holder
  readonly #scratch: Scratch
  #isShared = false
  /** The owner of what the launch itself makes; undefined for that of the daemon. */
  readonly #root: OwnerIds | undefined

  constructor(parts: StagerfsParts, { id, holder }: { readonly id: string; readonly holder: Holder }) {
    this.#parts = parts
    this.#holder = holder
    this.#scratch = scratchOf(parts.stateDirectory, id)
    this.#root = parts.owners && rootOnDisk(parts.owners)
  }

  /** On the host. */
  get mountPoint(): string {
    return this.#scratch.merged
  }

  /** The directory on the host that contains the changes of the stager. */
  get upper(): string {
    return this.#scratch.upper
  }

  deferUndo(after: AfterContainer): void {
    after.defer('remove the scratch directory', (deadline) => removeScratch(this.#scratch, deadline))
    after.defer('unmount /stagerfs', (deadline) =>
      (this.#isShared ? unmountShared : unmount)(this.#scratch.merged, deadline),
    )
  }

  async makeDirectories(): Promise<void> {
    await makeScratch(this.#scratch, this.#parts.extraFiles, this.#root)
  }

  /** Before the container is created. */
  async share(signal: AbortSignal): Promise<void> {
    this.#isShared = true
    await shareMountPoint(this.#scratch.merged, signal)
  }

  /**
   * Throws `BadInput` (`too-many-layers`, `stagerfs-unfit`) and the errors of `LayerCache.materialise`.
   *
   * @param sources lowest first: from the operating system upward
   */
  async mount(sources: readonly LayerSource[], step: Step, signal: AbortSignal): Promise<void> {
    const { layers, owners } = this.#parts
    const lowers = await step('layers', () =>
      settleAll(sources.map((source) => layers.materialise(source, signal, this.#holder, owners))),
    )
    await step('stagerfs', () => this.#mount(lowers, signal))
  }

  /** In the mount namespace of the container: these are its own /proc, with the masks of Docker, and its own /dev. */
  async mountKernelFilesystems(pid: number, signal: AbortSignal): Promise<void> {
    await Promise.all([
      bindInContainer(pid, '/proc', '/stagerfs/proc', signal),
      bindInContainer(pid, '/dev', '/stagerfs/dev', signal),
    ])
  }

  /**
   * Mounts the overlay, and creates what `chroot /stagerfs` needs. The stager does not run yet, so no entry changes
   * between a check and its use. Symbolic links of packages are not followed.
   */
  async #mount(lowers: readonly Layer[], signal: AbortSignal): Promise<void> {
    const { owner, layers } = this.#parts
    await mountOverlay(stagerfsMount(mountSource(owner), layers.directory, lowers, this.#scratch), signal)
    const merged = (name: string) => join(this.#scratch.merged, name)
    for (const name of ['proc', 'dev', 'etc']) await this.#ensureDirectory(merged(name), name, 0o755)
    await this.#ensureDirectory(merged('tmp'), 'tmp', 0o1777)
    const resolvConf = merged('etc/resolv.conf')
    // In many packages it is a symbolic link into /run. It is not a mount, because stagers copy their own file over it.
    if (await lstatOrNothing(resolvConf)) await unlink(resolvConf)
    await this.#createFile(resolvConf, RESOLV_CONF)
    // Operating systems as packages have none, because the Engine makes it in a root.
    const hosts = merged('etc/hosts')
    if (!(await lstatOrNothing(hosts))) await this.#createFile(hosts, HOSTS)
  }

  /** Follows no link. */
  async #createFile(path: string, content: string): Promise<void> {
    await writeFile(path, content, { flag: 'wx', mode: 0o644 })
    if (this.#root) await chown(path, this.#root.uid, this.#root.gid)
  }

  async #ensureDirectory(path: string, name: string, mode: number): Promise<void> {
    const found = await lstatOrNothing(path)
    if (found?.isDirectory()) return
    if (found)
      throw new BadInput(
        'stagerfs-unfit',
        `/${name} in the package's dependencies is not a directory: /stagerfs needs a directory there.`,
      )
    await mkdir(path)
    if (this.#root) await chown(path, this.#root.uid, this.#root.gid)
    // mkdir(2) applies the umask, and may ignore the sticky bit.
    await chmod(path, mode)
  }
}

/** The overlay mount of /stagerfs. */
export function stagerfsMount(
  source: string,
  layersDirectory: string,
  layers: readonly Layer[],
  scratch: Scratch,
): OverlayMount {
  return {
    source,
    base: layersDirectory,
    lowers: lowerDirectories(layers, scratch.ground),
    upper: scratch.upper,
    work: scratch.work,
    target: scratch.merged,
  }
}

async function lstatOrNothing(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

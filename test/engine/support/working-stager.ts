import { join } from 'node:path'
import { connectEngine } from '../../../isolation/engine/connect.js'
import type { PreparedContainer, RunningContainer, SnapshotReport, StartHooks } from '../../../isolation/isolation.js'
import type { LayerSource, Limits } from '../../../isolation/launch-plan.js'
import { LayerDirectoryCache } from '../../../isolation/layers/layer-cache.js'
import { launchName } from '../../../isolation/host/ownership.js'
import { planOf } from '../../contract/isolation-under-test.js'
import { collect } from '../../support/collect.js'
import { MemoryResources } from '../../support/memory-resources.js'
import type { DockerIsolationUnderTest } from './docker-isolation.js'
import { type FileOperation, FileOperations } from './file-operations.js'
import { type GroundTruth, groundTruth } from './ground-truth.js'
import { OverlayScratch } from './overlay.js'
import { FILE_OPERATIONS, perlTarball } from './perl-root.js'
import type { SeenInside } from './seen-inside.js'

/** An emulated machine takes minutes for what takes a second. */
const PATIENCE_MS = 600_000
/** A gibibyte of disk, which is enough for a tebibyte of holes. */
const LIMITS: Partial<Limits> = { diskBytes: 2 ** 30, memoryBytes: 256 * 2 ** 20, timeoutMs: Infinity }

let perl: Promise<Buffer> | undefined

/**
 * A launched stager that runs operations for a test. They are system calls of the stager in its namespaces, with the
 * default capabilities of Docker. They need no exec by the Engine, so that hundreds of operations take a few
 * milliseconds.
 */
export class WorkingStager {
  #scratches = 0

  private constructor(
    readonly running: RunningContainer,
    private readonly container: PreparedContainer,
    /** The root as the container sees it, through /proc of its init process, while that runs. */
    readonly root: string,
    /** Trees of the layers of the packages, topmost first. */
    readonly layers: readonly string[],
    private readonly master: Master,
  ) {}

  /**
   * @param packages above busybox and perl, bottom first
   * @param stagerfs those at /stagerfs
   */
  static async launch(
    under: DockerIsolationUnderTest,
    packages: readonly LayerSource[],
    stagerfs: readonly LayerSource[] = [],
  ): Promise<WorkingStager> {
    perl ??= perlTarball()
    const root = [...under.root, under.resources.add('perl', await perl), ...packages]
    const master = new Master()
    const plan = {
      ...planOf(under, { shell: FILE_OPERATIONS, fake: () => Promise.resolve() }, LIMITS),
      root,
      stagerfs,
      user: 'root',
    }
    const signal = AbortSignal.timeout(PATIENCE_MS)
    const container = await under.isolation.prepare(plan, {}, signal)
    try {
      const { port, url } = await master.listen(container.address)
      const start = { ...plan, environment: { STAGER_URL: url }, coordinatorPort: port }
      const running = await container.start(start, master, signal)
      master.whyEnded = async () => `${JSON.stringify(await running.ended)} ${master.errors}`
      await master.connected(signal)
      const { State } = await connectEngine().getContainer(launchName(plan.id)).inspect()
      const layers = await LayerDirectoryCache.open({
        directory: join(under.stateDirectory, 'layers'),
        resources: under.resources,
      })
      const trees = []
      for (const source of root)
        trees.unshift(join(layers.directory, (await layers.materialise(source, signal)).relativePath))
      return new WorkingStager(running, container, `/proc/${State.Pid}/root`, trees, master)
    } catch (error) {
      await container.release()
      master.close()
      throw error
    }
  }

  /** Returns the failed operations as `name:errno`. */
  async perform(operations: readonly FileOperation[]): Promise<readonly string[]> {
    return await this.master.perform(operations)
  }

  /** What the container itself sees below a directory (absolute). */
  async describe(directory: string): Promise<SeenInside> {
    return await this.master.describe(directory)
  }

  /**
   * Takes a snapshot, and describes the tree of the container below `directory` (absolute, without a trailing slash).
   * The container may be thawed before that, but the stager does nothing without a request.
   *
   * @param filter the directory of the snapshot
   */
  async snapshot(filter: string | undefined, directory: string, exclude: readonly string[] = []): Promise<Taken> {
    const { seen, ...taken } = await this.snapshotOf(filter, () => groundTruth(this.root + directory), exclude)
    return { ...taken, truth: seen }
  }

  /** Takes a snapshot, and returns the result of `look` at that time. */
  async snapshotOf<T>(
    filter: string | undefined,
    look: () => T,
    exclude: readonly string[] = [],
  ): Promise<SnapshotReport<Buffer> & { readonly seen: T }> {
    let seen: T
    const report = await this.running.snapshot({ directory: filter, exclude }, async (archive) => {
      seen = look()
      return await collect(archive)
    })
    return { ...report, seen: seen! }
  }

  /** Describes the tree below `directory` of the package layers with the snapshot as a layer on top. */
  async seenAgain(taken: SnapshotReport<Buffer>, directory: string): Promise<GroundTruth> {
    return await this.overlaid(taken, (merged) => groundTruth(merged + directory))
  }

  /** Mounts the package layers with the snapshot as a layer on top, and passes the mount point to `look`. */
  async overlaid<T>(taken: SnapshotReport<Buffer>, look: (merged: string) => T | Promise<T>): Promise<T> {
    const scratch = new OverlayScratch()
    try {
      const resources = new MemoryResources()
      const cache = await LayerDirectoryCache.open({
        directory: scratch.path(`layers-${this.#scratches++}`),
        resources,
      })
      const source = { sha256: resources.add(taken.written), removals: taken.removals, name: 'snapshot' }
      const layer = await cache.materialise(source, AbortSignal.timeout(PATIENCE_MS))
      return await look(scratch.mount([join(cache.directory, layer.relativePath), ...this.layers]).merged)
    } finally {
      scratch.remove()
    }
  }

  async close(): Promise<void> {
    this.master.close()
    const { failures } = await this.container.release()
    if (failures.length > 0) throw new Error(`could not be undone: ${JSON.stringify(failures)}`)
  }
}

export interface Taken extends SnapshotReport<Buffer> {
  readonly truth: GroundTruth
}

class Master extends FileOperations implements StartHooks {
  output(_stream: 'stdout' | 'stderr', chunk: Buffer): Promise<void> {
    this.errors += chunk.toString()
    return Promise.resolve()
  }
}

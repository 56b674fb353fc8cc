import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { connectEngine } from '../../../isolation/engine/connect.js'
import type { PreparedContainer, RunningContainer, SnapshotReport, StartHooks } from '../../../isolation/isolation.js'
import type { LayerSource, Limits } from '../../../isolation/launch-plan.js'
import { LayerDirectoryCache } from '../../../isolation/layers/layer-cache.js'
import { launchName } from '../../../isolation/host/ownership.js'
import { planOf } from '../../contract/isolation.js'
import { collect } from '../../support/collect.js'
import { MemoryResources } from '../../support/memory-resources.js'
import type { DockerIsolationUnderTest } from './docker-isolation.js'
import { type GroundTruth, groundTruth } from './ground-truth.js'
import { OverlayScratch } from './overlay.js'
import { FILE_OPERATIONS, perlTarball } from './perl-root.js'

/** A line for test/fixtures/stagers/file-operations.pl: its name, and fields; paths are absolute, bytes as latin1. */
export type FileOperation = readonly [name: string, ...fields: (string | number)[]]

/** A gibibyte of disk, in which a tebibyte of holes has room. */
const LIMITS: Partial<Limits> = { diskBytes: 2 ** 30, memoryBytes: 256 * 2 ** 20, timeoutMs: Infinity }

let perl: Promise<Buffer> | undefined

/**
 * A launched stager that does what the test tells it. The operations are the stager's own system calls, in its own
 * namespaces and with Docker's capabilities; what it is asked takes no process of the Engine's, so that hundreds of
 * operations take a few milliseconds.
 */
export class WorkingStager {
  #scratches = 0

  private constructor(
    readonly running: RunningContainer,
    private readonly container: PreparedContainer,
    /** The root as the container sees it: through its init process, while that lives. */
    readonly root: string,
    /** Trees of the packages' layers, topmost first. */
    readonly layers: readonly string[],
    private readonly master: Master,
    private readonly connection: Socket,
    private readonly answers: AsyncIterator<string>,
  ) {}

  /** @param packages above busybox and perl, from the bottom upward */
  static async launch(under: DockerIsolationUnderTest, packages: readonly LayerSource[]): Promise<WorkingStager> {
    perl ??= perlTarball()
    const root = [...under.root, under.resources.add('perl', await perl), ...packages]
    const master = new Master()
    const plan = {
      ...planOf(under, { shell: FILE_OPERATIONS, fake: () => Promise.resolve() }, LIMITS),
      root,
      user: 'root',
    }
    const signal = AbortSignal.timeout(60_000)
    const container = await under.isolation.prepare(plan, {}, signal)
    try {
      const { port, url } = await master.listen(container.address)
      const start = { ...plan, environment: { STAGER_URL: url }, coordinatorPort: port }
      const running = await container.start(start, master, signal)
      const connection = await master.connection(signal)
      const { State } = await connectEngine().getContainer(launchName(plan.id)).inspect()
      const layers = await LayerDirectoryCache.open({
        directory: join(under.stateDirectory, 'layers'),
        resources: under.resources,
      })
      const trees = []
      for (const source of root)
        trees.unshift(join(layers.directory, (await layers.materialise(source, signal)).relativePath))
      const answers = createInterface({ input: connection, crlfDelay: Infinity })[Symbol.asyncIterator]()
      return new WorkingStager(running, container, `/proc/${State.Pid}/root`, trees, master, connection, answers)
    } catch (error) {
      await container.release()
      master.close()
      throw error
    }
  }

  /** Returns what failed, as `name:errno`. */
  async perform(operations: readonly FileOperation[]): Promise<readonly string[]> {
    const lines = operations.map(([name, ...fields]) => [name, ...fields.map((field) => hex(String(field)))].join(' '))
    this.connection.write(`${[...lines, '.'].join('\n')}\n`)
    const { value } = (await this.answers.next()) as { value: string | undefined }
    if (!value?.startsWith('done'))
      throw new Error(`the stager has ended: ${JSON.stringify(await this.running.ended)} ${this.master.errors}`)
    return value
      .split(' ')
      .slice(1)
      .filter((failure) => failure !== '')
  }

  /**
   * A snapshot, and what the container shows below `directory` (absolute, without a slash at its end). It may be thawed
   * before that has been looked at, but does nothing until it is told.
   *
   * @param filter the argument of the snapshot
   */
  async snapshot(filter: string | undefined, directory: string, exclude: readonly string[] = []): Promise<Taken> {
    const { seen, ...taken } = await this.snapshotOf(filter, () => groundTruth(this.root + directory), exclude)
    return { ...taken, truth: seen }
  }

  /** A snapshot, and what `look` sees when it is taken. */
  async snapshotOf<T>(
    filter: string | undefined,
    look: () => T,
    exclude: readonly string[] = [],
  ): Promise<SnapshotReport<Buffer> & { readonly seen: T }> {
    let seen: T
    const report = await this.running.snapshot(
      filter,
      async (archive) => {
        seen = look()
        return await collect(archive)
      },
      exclude,
    )
    return { ...report, seen: seen! }
  }

  /** What is seen below `directory` over the layers of the packages and the snapshot made into one. */
  async seenAgain(taken: SnapshotReport<Buffer>, directory: string): Promise<GroundTruth> {
    return await this.overlaid(taken, (merged) => groundTruth(merged + directory))
  }

  /** Passes the place where the layers and the snapshot made into one are mounted to `look`. */
  async overlaid<T>(taken: SnapshotReport<Buffer>, look: (merged: string) => T | Promise<T>): Promise<T> {
    const scratch = new OverlayScratch()
    try {
      const resources = new MemoryResources()
      const cache = await LayerDirectoryCache.open({
        directory: scratch.path(`layers-${this.#scratches++}`),
        resources,
      })
      const source = { sha256: resources.add(taken.written), removals: taken.removals, name: 'snapshot' }
      const layer = await cache.materialise(source, AbortSignal.timeout(60_000))
      return await look(scratch.mount([join(cache.directory, layer.relativePath), ...this.layers]).merged)
    } finally {
      scratch.remove()
    }
  }

  async close(): Promise<void> {
    this.connection.destroy()
    const { failures } = await this.container.release()
    this.master.close()
    if (failures.length > 0) throw new Error(`could not be undone: ${JSON.stringify(failures)}`)
  }
}

export interface Taken extends SnapshotReport<Buffer> {
  readonly truth: GroundTruth
}

/** Hooks that accept the one connection of a stager. */
class Master implements StartHooks {
  readonly #server = createServer()
  readonly #connected = once(this.#server, 'connection')
  errors = ''

  output(stream: 'stdout' | 'stderr', chunk: Buffer): Promise<void> {
    this.errors += chunk.toString()
    return Promise.resolve()
  }

  async listen(address: string): Promise<{ readonly port: number; readonly url: string }> {
    this.#server.listen(0, address)
    await once(this.#server, 'listening')
    const { port } = this.#server.address() as AddressInfo
    return { port, url: `http://${address}:${port}` }
  }

  close(): void {
    this.#server.close()
  }

  async connection(signal: AbortSignal): Promise<Socket> {
    const gone = once(signal, 'abort').then(() => {
      throw new Error(`the stager did not connect: ${this.errors}`)
    })
    const [socket] = (await Promise.race([this.#connected, gone])) as [Socket]
    return socket
  }
}

function hex(field: string): string {
  return Buffer.from(field, 'latin1').toString('hex')
}

import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type Docker from 'dockerode'
import { DockerIsolation } from '../../../isolation/docker/docker-isolation.js'
import { StagerCaches } from '../../../isolation/caches/stager-caches.js'
import { connectEngine } from '../../../isolation/engine/connect.js'
import { LayerDirectoryCache } from '../../../isolation/layers/layer-cache.js'
import type { LayerSource } from '../../../isolation/launch-plan.js'
import type { IsolationUnderTest } from '../../contract/isolation-under-test.js'
import { busyboxTarball, MemoryResources, tarball } from './busybox-root.js'
import { expectNothingLeft, leftovers, removeImages } from './leftovers.js'
import { smallImage } from './small-image.js'
import { ON_DISK } from './on-disk.js'

export interface DockerIsolationUnderTest extends IsolationUnderTest {
  readonly isolation: DockerIsolation
  readonly resources: MemoryResources
  readonly root: readonly [LayerSource]
  readonly nodeId: string
  readonly stateDirectory: string
  /** About caches of stagers. */
  readonly warnings: readonly string[]
  /** Opens the isolation again on the same state, like a restarted daemon, without knowledge of running launches. */
  restarted(): Promise<DockerIsolation>
  /** Throws if a launch has left anything, and removes that, so that it does not affect the next test on this node. */
  expectNothingLeft(): Promise<void>
}

/** So small that a test fills one. */
export const CACHE_QUOTAS = { bytesOfOne: 8 * 2 ** 20, bytesOfAll: 16 * 2 ** 20 }

let busybox: Promise<Buffer> | undefined

/** A node for a test. `close` removes everything of it, including images and files. */
export async function dockerIsolation(
  extraFiles: ReadonlyMap<string, string> = new Map(),
  {
    engine,
    addressPool,
    seccomp,
  }: { readonly engine: Docker; readonly addressPool?: string; readonly seccomp?: string } = {
    engine: connectEngine(),
  },
): Promise<DockerIsolationUnderTest> {
  busybox ??= busyboxTarball()
  const stateDirectory = await mkdtemp(join(ON_DISK, 'stagerd-test-'))
  const owner = { nodeId: randomUUID(), installDirectory: stateDirectory }
  const resources = new MemoryResources()
  const warnings: string[] = []
  const root = [resources.add('busybox', await busybox)] as const
  const pool = addressPool === undefined ? {} : { addressPool }
  const start = async () => {
    const layers = await LayerDirectoryCache.open({ directory: join(stateDirectory, 'layers'), resources })
    const caches = new StagerCaches({
      directory: join(stateDirectory, 'caches'),
      ...CACHE_QUOTAS,
      warn: (_, message) => warnings.push(message),
    })
    return new DockerIsolation({ owner, stateDirectory, layers, caches, extraFiles, seccomp, ...pool }, engine)
  }
  const isolation = await start()
  const node = { stateDirectory, nodeId: () => Promise.resolve(owner.nodeId), isRunning: true }
  return {
    isolation,
    resources,
    root,
    nodeId: owner.nodeId,
    stateDirectory,
    warnings,
    restarted: start,
    commandOf: ({ shell }) => shell,
    image: async (files, environment) => {
      const tree = Object.fromEntries(Object.entries(files).map(([name, text]) => [name.slice(1), text]))
      return await smallImage(await tarball(tree), owner.nodeId, [`ENV ${environment}`], engine)
    },
    traces: () => leftovers(node, engine),
    expectNothingLeft: async () => {
      try {
        await expectNothingLeft(node, engine)
      } catch (error) {
        await isolation.sweep(new Set())
        throw error
      }
    },
    close: async () => {
      await isolation.sweep(new Set())
      const left = await leftovers({ ...node, isRunning: false }, engine)
      await removeImages(node, engine)
      await rm(stateDirectory, { recursive: true })
      if (left.length > 0) throw new Error(`left behind: ${left.join('; ')}`)
    },
  }
}

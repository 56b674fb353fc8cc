import { randomInt } from 'node:crypto'
import path from 'node:path'
import type Docker from 'dockerode'
import { connectEngine, pingEngine } from '../engine/connect.js'
import { EngineSettings } from '../engine/engine-settings.js'
import { ImageReader } from '../engine/image-reader.js'
import { LastUsedTimes } from '../engine/last-used-times.js'
import { RootImages } from '../engine/root-images.js'
import { SECCOMP_PROFILE } from '../engine/seccomp-profile.js'
import { makeFileLayer, makeShimLayer, shimFiles } from '../engine/shim-layer.js'
import type { StagerCaches } from '../caches/stager-caches.js'
import { Examiner } from './examiner.js'
import { examineFirewall } from './firewall-findings.js'
import type { ImageHooks, ImagePlan, OpenImage } from '../image.js'
import type {
  Cached,
  Finding,
  Isolation,
  PreparedContainer,
  PrepareHooks,
  StagerCache,
  SweepReport,
} from '../isolation.js'
import type { LayerVerdict, LayerVerification, LayerVerifyOptions } from '../layer-verification.js'
import { Launcher } from '../launch/launcher.js'
import type { LayerContent, LayerSource, PreparePlan, ProxyAddress } from '../launch-plan.js'
import type { LayerDirectoryCache } from '../layers/layer-cache.js'
import { AddressPool } from '../network/address-pool.js'
import { Bridges } from '../network/bridges.js'
import { FirewallGuard } from '../network/firewall-guard.js'
import { Firewall } from '../network/firewall.js'
import { Networks } from '../network/networks.js'
import { StrayBridges } from '../network/stray-bridges.js'
import { networkMtu } from '../network/uplink-mtu.js'
import type { NetworkMtu } from '../network-mtu.js'
import type { Owner } from '../host/ownership.js'
import { chooseCompressor } from '../archive/compressor.js'
import type { CompressorChoice } from '../compressor-choice.js'
import { Sweeper } from './sweeper.js'

export interface DockerIsolationOptions {
  readonly owner: Owner
  /** Holds the scratch directories of launches. */
  readonly stateDirectory: string
  readonly layers: LayerDirectoryCache
  readonly caches: StagerCaches
  /** The compressor of snapshots. Default: the fastest one of the host. */
  readonly compressor?: CompressorChoice
  /** IPv4 block that is divided into the networks of launches. */
  readonly addressPool?: string
  /** Default: that of the uplink. */
  readonly networkMtu?: NetworkMtu
  /** Content by absolute path of files in every root, and in every /stagerfs. Snapshots do not contain them. */
  readonly extraFiles?: ReadonlyMap<string, string>
  /** Proxies for containers with egress, which may be on this host. */
  readonly proxies?: readonly ProxyAddress[]
  /** The seccomp profile of all containers, as JSON in the format of Docker. Default: that of stagerd. */
  readonly seccomp?: string | undefined
}

const DEFAULT_ADDRESS_POOL = '198.18.0.0/16'

/** Isolation by Docker containers, overlay mounts and iptables on this host. Needs root. */
export class DockerIsolation implements Isolation, LayerVerification {
  readonly #engine: Docker
  readonly #settings: EngineSettings
  readonly #layers: LayerDirectoryCache
  readonly #images: RootImages
  readonly #caches: StagerCaches
  readonly #imageReader: ImageReader
  readonly #networks: Networks
  readonly #launcher: Launcher
  readonly #sweeper: Sweeper
  readonly #examiner: Examiner

  /** Does not connect yet. Throws `BadInput` (`bad-address-pool`). */
  constructor(options: DockerIsolationOptions, engine: Docker = connectEngine()) {
    const { owner, stateDirectory, layers, caches, extraFiles = new Map<string, string>() } = options
    const guard = new FirewallGuard(new Firewall())
    const shim = shimFiles(extraFiles)
    const shimLayer = once(() => makeShimLayer(shim))
    const fileLayer = once(() => makeFileLayer(extraFiles))
    const compressor = once(() => chooseCompressor(options.compressor))
    // Nodes on one host share the default pool. A random start makes collisions between them rare.
    const pool = new AddressPool(options.addressPool ?? DEFAULT_ADDRESS_POOL, 28, randomInt(65_536))
    this.#engine = engine
    this.#settings = new EngineSettings(engine)
    this.#layers = layers
    this.#caches = caches
    this.#images = new RootImages(engine, owner, new LastUsedTimes(path.join(stateDirectory, 'images')))
    this.#imageReader = new ImageReader(engine, owner, compressor)
    const bridges = new Bridges(engine, owner, pool, () => networkMtu(options.networkMtu ?? 'uplink'))
    const networks = new Networks({ owner, bridges, guard })
    const strayBridges = new StrayBridges({ engine, owner, bridges })
    this.#networks = networks
    this.#sweeper = new Sweeper({ engine, owner, stateDirectory, firewall: guard, networks, strayBridges, caches })
    this.#examiner = new Examiner({
      engine,
      settings: this.#settings,
      networks,
      stateDirectory,
      compressor: options.compressor,
    })
    this.#launcher = new Launcher({
      engine,
      owner,
      stateDirectory,
      layers,
      caches,
      networks,
      proxies: options.proxies ?? [],
      seccomp: options.seccomp ?? SECCOMP_PROFILE,
      images: this.#images,
      extraFiles,
      topLayer: (shims) => (shims ? shimLayer() : fileLayer()),
      settings: this.#settings,
      snapshotting: { compressor, givenFiles: shim },
    })
  }

  async prepare(plan: PreparePlan, hooks: PrepareHooks, signal: AbortSignal): Promise<PreparedContainer> {
    return await this.#launcher.prepare(plan, hooks, signal)
  }

  async materialise(source: LayerSource, signal: AbortSignal): Promise<void> {
    await this.#layers.materialise(source, signal, undefined, await this.#settings.owners())
  }

  async readImage<T>(
    plan: ImagePlan,
    hooks: ImageHooks,
    use: (image: OpenImage) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    return await this.#imageReader.read(plan, hooks, use, signal)
  }

  async sweep(live: ReadonlySet<string>, signal?: AbortSignal): Promise<SweepReport> {
    return await this.#sweeper.sweep(live, signal)
  }

  async caches(needed: readonly LayerContent[]): Promise<readonly Cached[]> {
    const owners = await this.#settings.owners()
    return [
      ...(await this.#layers.list(needed, owners)),
      ...(await this.#images.list()),
      ...(await this.#caches.list()),
    ]
  }

  async stagerCaches(): Promise<readonly StagerCache[]> {
    return await this.#caches.list()
  }

  async layers(): Promise<readonly { readonly id: string; readonly bytes: number }[]> {
    return await this.#layers.list()
  }

  async verifyLayer(id: string, options: LayerVerifyOptions): Promise<LayerVerdict> {
    return await this.#layers.verify(id, options, await this.#settings.owners())
  }

  async discard({ kind, id }: Pick<Cached, 'kind' | 'id'>): Promise<boolean> {
    switch (kind) {
      case 'cache':
        await this.#caches.clear(id)
        return true
      case 'layer':
        return await this.#layers.discard(id)
      case 'image':
        return await this.#images.discard(id)
    }
  }

  keptNetworks(): number {
    return this.#networks.kept
  }

  async examine(): Promise<readonly Finding[]> {
    return await this.#examiner.examine()
  }

  async examineFirewall(): Promise<readonly Finding[]> {
    return await examineFirewall()
  }

  async ping(): Promise<void> {
    try {
      await pingEngine(this.#engine)
    } catch (error) {
      // An Engine that is started again can have other settings.
      this.#settings.forget()
      throw error
    }
  }
}

/** Calls `load` once and keeps its result. After a failure, the next call loads again. */
function once<T>(load: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined
  return () => {
    result ??= load().catch((error: unknown) => {
      result = undefined
      throw error
    })
    return result
  }
}

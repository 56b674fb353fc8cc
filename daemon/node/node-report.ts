import type { Finding, Isolation } from '../../isolation/isolation.js'
import { messageOf } from '../../base/errors.js'
import type { NodeStatus } from '../documents/node.js'
import type { KeptLaunches } from '../staging/kept-launches.js'
import type { StagingLedger } from '../store/staging-ledger.js'
import type { PackageRepository } from '../store/repositories.js'
import { renderKept } from './render-kept.js'

export interface NodeFacts {
  readonly version: string
  readonly nodeId: string
  readonly stateDir: string
  /** They change while the daemon runs. */
  readonly concurrency: number
  readonly draining: boolean
  /** Stagings that run, or have left something that is still being removed. */
  readonly atWork: number
  readonly prepared: number
  readonly verification?: NodeStatus['verification']
  readonly cloudFoundry?: NodeStatus['cloud_foundry']
}

/** Status and diagnosis of this staging node. */
export class NodeReport {
  readonly #facts: NodeFacts
  readonly #isolation: Isolation
  readonly #ledger: Pick<StagingLedger, 'counts'>
  readonly #packages: PackageRepository
  readonly #kept: Pick<KeptLaunches, 'list'>
  readonly #examineHost: () => Promise<readonly Finding[]>

  constructor(
    facts: NodeFacts,
    isolation: Isolation,
    ledger: Pick<StagingLedger, 'counts'>,
    packages: PackageRepository,
    kept: Pick<KeptLaunches, 'list'>,
    /** What the isolation does not know of. */
    examineHost: () => Promise<readonly Finding[]>,
  ) {
    this.#facts = facts
    this.#isolation = isolation
    this.#ledger = ledger
    this.#packages = packages
    this.#kept = kept
    this.#examineHost = examineHost
  }

  async status(): Promise<NodeStatus> {
    const { version, nodeId, stateDir, concurrency, draining, atWork, prepared, verification, cloudFoundry } =
      this.#facts
    const [{ running, queued, interrupted }, packages, engine, caches] = await Promise.all([
      this.#ledger.counts(nodeId),
      this.#packages.listUsable(),
      this.#engine(),
      this.#isolation.stagerCaches(),
    ])
    return {
      version,
      node: nodeId,
      state_dir: stateDir,
      engine,
      packages: packages.length,
      stagings: { queued, interrupted, running, at_work: atWork, limit: concurrency },
      draining,
      prepared,
      kept_networks: this.#isolation.keptNetworks(),
      stager_caches: { count: caches.length, bytes: caches.reduce((total, { bytes }) => total + bytes, 0) },
      ...(verification ? { verification } : {}),
      ...(cloudFoundry ? { cloud_foundry: cloudFoundry } : {}),
      kept: this.#kept.list().map(renderKept),
      uptime_seconds: Math.round(process.uptime()),
    }
  }

  async doctor(): Promise<readonly Finding[]> {
    const [ofIsolation, ofHost] = await Promise.all([this.#isolation.examine(), this.#examineHost()])
    return [...ofIsolation, ...ofHost]
  }

  async #engine(): Promise<{ answers: boolean; message: string }> {
    try {
      await this.#isolation.ping()
      return { answers: true, message: 'The Docker Engine answers.' }
    } catch (error) {
      return { answers: false, message: messageOf(error) }
    }
  }
}

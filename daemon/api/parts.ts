import type { FastifyBaseLogger } from 'fastify'
import type { Registry } from 'prom-client'
import type { Finding, OutputStream } from '../../isolation/isolation.js'
import type { Limits, PublishedPort } from '../../isolation/launch-plan.js'
import type { Exporter } from '../exchange/export.js'
import type { Importer } from '../exchange/import.js'
import type { Collector } from '../garbage/collector.js'
import type { ImagePackages } from '../images/image-packages.js'
import type { StagingLedger } from '../store/staging-ledger.js'
import type { Staging, StagingSource } from '../model/staging.js'
import type { BlobStore } from '../store/blob-store.js'
import type { PackageQuota } from '../store/package-quota.js'
import type { Resolver } from '../resolver/resolver.js'
import type {
  PackageRepository,
  PipelineRepository,
  PolicyRepository,
  Ref,
  StagerRepository,
} from '../store/repositories.js'
import type { ResourceIngest } from '../store/resource-ingest.js'
import type { NodeStatus } from '../documents/node.js'
import type { LogLine } from '../documents/staging.js'

/** What the control API needs of the rest of the daemon. It owns none of it, and closes none of it. */
export interface ApiParts {
  readonly packages: PackageRepository
  readonly stagers: StagerRepository
  readonly pipelines: PipelineRepository
  readonly policies: PolicyRepository
  readonly resolver: Resolver
  readonly ledger: Pick<StagingLedger, 'get' | 'list'>
  readonly blobs: BlobStore
  readonly ingest: Pick<ResourceIngest, 'receive' | 'reuse'>
  readonly quota: PackageQuota
  readonly images: Pick<ImagePackages, 'make'>
  readonly exporter: Pick<Exporter, 'export'>
  readonly importer: Pick<Importer, 'import'>
  readonly garbage: Pick<Collector, 'collect'>
  readonly stagings: Stagings
  readonly logs: StagingLogs
  readonly runs: Runs
  readonly node: NodeInfo
  /** Whether stagings are admitted; they are when this is left out. */
  readonly isReady?: () => boolean
  /** What /metrics shows; the API adds its own to it. */
  readonly metrics: Registry
  readonly logger: FastifyBaseLogger
  readonly defaults: ApiDefaults
}

export interface ApiDefaults {
  /** For stagers and runs that do not say otherwise. */
  readonly limits: Limits
  /** User of a stager that names none. */
  readonly user: string
  /** How long an upload may stand still, in milliseconds, before it is given up; a slow one that moves is let be. */
  readonly uploadStallMs: number
  /** Between two comments on an event stream that has nothing to say, in milliseconds. */
  readonly heartbeatMs: number
}

/** Decides; see store/staging-ledger.ts for what it throws. */
export interface Stagings {
  submit(packageRef: Ref, pipelineRef: Ref, source?: StagingSource): Promise<Staging>
  cancel(uuid: string): Promise<Staging>
  /** A new staging of the same package through the same pipeline, as it is now. `Conflict` unless that one failed or was cancelled. */
  retry(uuid: string): Promise<Staging>
}

export interface StagingLogs {
  /**
   * Lines after `since` in order, without gap or repetition. With `follow`, waits for more, and ends once the staging
   * has ended and its last line was given; without, ends at the present end. Ends early, quietly, when aborted.
   */
  follow(
    staging: string,
    options: { readonly since: number; readonly follow: boolean; readonly signal: AbortSignal },
  ): AsyncIterable<LogLine>
}

export interface RunRequest {
  readonly package: Ref
  /** Instead of the package's START_COMMAND. */
  readonly command?: string
  /** Over that of the package. */
  readonly environment: Readonly<Record<string, string>>
  readonly publish: readonly PublishedPort[]
  readonly egress: boolean
  readonly limits?: Partial<Limits>
}

export interface Runs {
  /**
   * Resolves once the program runs. If it rejects, nothing is left of it. The container ends when `signal` is aborted
   * or `stop` is called, and everything that was made for it is gone when `ended` resolves.
   */
  start(request: RunRequest, hooks: RunOutput, signal: AbortSignal): Promise<RunningProgram>
}

export interface RunOutput {
  /** Reading pauses until the promise resolves. */
  output(stream: OutputStream, chunk: Buffer): Promise<void>
}

export interface RunningProgram {
  /** UUID. */
  readonly id: string
  /** Host ports, in the order of `publish`. */
  readonly ports: readonly number[]
  readonly ended: Promise<{ readonly exitCode?: number; readonly reason: string }>
  /** SIGTERM, and SIGKILL after a grace. Idempotent. */
  stop(): void
}

export interface NodeInfo {
  status(): Promise<NodeStatus>
  doctor(): Promise<readonly Finding[]>
}

import type { FastifyBaseLogger } from 'fastify'
import type { Callers } from '../access/callers.js'
import { RecentUploads } from '../access/recent-uploads.js'
import { RunningPrograms } from '../runs/running-programs.js'
import type { ResourceOwners } from '../store/resource-owners.js'
import type { Api } from './fastify.js'
import { Places } from './places.js'
import { backupRoutes, type BackupRoutesParts } from './routes/backups.js'
import { bootstrapRoutes, type BootstrapRoutesParts } from './routes/bootstraps.js'
import { buildScriptRoutes } from './routes/build-scripts.js'
import { detectionRoutes } from './routes/detections.js'
import { dropletRunRoutes, type DropletRunRoutesParts } from './routes/droplet-runs.js'
import { exchangeRoutes, type ExchangeRoutesParts } from './routes/exchange.js'
import { garbageRoutes, type GarbageRoutesParts } from './routes/garbage.js'
import { imageRoutes, type ImageRoutesParts } from './routes/images.js'
import { keptLaunchRoutes, type KeptLaunchRoutesParts } from './routes/kept-launches.js'
import { manifestRoutes } from './routes/manifests.js'
import { metricsRoutes, type MetricsRoutesParts } from './routes/metrics.js'
import { nodeRoutes, type NodeRoutesParts } from './routes/node.js'
import { nodesRoutes, type NodesRoutesParts } from './routes/nodes.js'
import { packageDataRoutes, type PackageDataRoutesParts } from './routes/package-data.js'
import { packageDropletRoutes, type PackageDropletRoutesParts } from './routes/package-droplet.js'
import { packageSourceRoutes, type PackageSourceRoutesParts } from './routes/package-source.js'
import { packageRoutes, type PackageRoutesParts } from './routes/packages.js'
import { pipelineRoutes, type PipelineRoutesParts } from './routes/pipelines.js'
import { policyRoutes, type PolicyRoutesParts } from './routes/policies.js'
import { resolutionRoutes, type ResolutionRoutesParts } from './routes/resolution.js'
import { resourceRoutes, type ResourceRoutesParts } from './routes/resources.js'
import { resultRoutes, type ResultRoutesParts } from './routes/results.js'
import { runRoutes, type RunRoutesParts } from './routes/runs.js'
import { stagerCacheRoutes, type StagerCacheRoutesParts } from './routes/stager-caches.js'
import { stagerSecretRoutes, type StagerSecretRoutesParts } from './routes/stager-secrets.js'
import { stagerRoutes, type StagerRoutesParts } from './routes/stagers.js'
import { stagingLogRoutes, type StagingLogRoutesParts } from './routes/staging-log.js'
import { stagingRoutes, type StagingRoutesParts } from './routes/stagings.js'
import { tokenRoutes, type TokenRoutesParts } from './routes/tokens.js'
import { webhookRoutes, type WebhookRoutesParts } from './routes/webhooks.js'
import { Homes } from './homes.js'
import type { PassOnParts } from './pass-on.js'
import { buildServer } from './server.js'

/** What each family of routes needs. The API owns none of it, and closes none of it. */
export interface ApiParts {
  readonly logger: FastifyBaseLogger
  readonly access: { readonly callers: Callers; readonly owners: ResourceOwners }
  readonly peers: PassOnParts['peers']
  readonly tokens: TokenRoutesParts
  readonly webhooks: WebhookRoutesParts
  readonly packages: PackageRoutesParts
  readonly packageData: PackageDataRoutesParts
  readonly packageDroplet: PackageDropletRoutesParts
  readonly packageSource: Omit<PackageSourceRoutesParts, 'uploads'>
  readonly results: ResultRoutesParts
  readonly images: ImageRoutesParts
  readonly resources: Omit<ResourceRoutesParts, 'uploads'>
  readonly exchange: ExchangeRoutesParts
  readonly stagers: StagerRoutesParts
  readonly stagerCaches: StagerCacheRoutesParts
  readonly stagerSecrets: StagerSecretRoutesParts
  readonly pipelines: PipelineRoutesParts
  readonly policies: PolicyRoutesParts
  readonly resolution: ResolutionRoutesParts
  readonly stagings: StagingRoutesParts
  readonly stagingLog: StagingLogRoutesParts
  readonly keptLaunches: KeptLaunchRoutesParts
  readonly runs: Omit<RunRoutesParts, 'running' | 'self'>
  readonly dropletRuns: Omit<DropletRunRoutesParts, 'running' | 'recent' | 'self'>
  readonly node: NodeRoutesParts
  readonly nodes: NodesRoutesParts
  readonly metrics: MetricsRoutesParts
  readonly garbage: GarbageRoutesParts
  readonly backups: BackupRoutesParts
  readonly bootstraps: BootstrapRoutesParts
}

/** The whole control API. */
export function buildApi({ logger, access, peers, ...parts }: ApiParts): Api {
  const { registry } = parts.metrics
  const uploads = new RecentUploads()
  const running = new RunningPrograms()
  const places = new Places({
    named: {
      package: parts.packages.packages,
      job: parts.stagers.stagers,
      stagpipe: parts.pipelines.pipelines,
      policydoc: parts.policies.policies,
    },
    ledger: parts.stagings.ledger,
    webhooks: parts.webhooks.webhooks,
    runs: running,
    owners: access.owners,
    uploads,
  })
  const { stagings, nodes } = parts
  const homes = new Homes({ ledger: stagings.ledger, nodes: stagings.nodes, kept: stagings.kept, self: nodes.self })
  return buildServer({
    logger,
    registry,
    callers: access.callers,
    places,
    passOn: { homes, nodes: nodes.nodes, peers },
    routes: [
      (api) => packageRoutes(api, parts.packages),
      (api, closing) => packageDataRoutes(api, parts.packageData, closing),
      (api, closing) => packageDropletRoutes(api, parts.packageDroplet, closing),
      (api, closing) => packageSourceRoutes(api, { uploads, ...parts.packageSource }, closing),
      (api, closing) => resultRoutes(api, parts.results, closing),
      (api) => buildScriptRoutes(api),
      (api) => manifestRoutes(api),
      (api, closing) => imageRoutes(api, parts.images, closing),
      (api, closing) => resourceRoutes(api, { uploads, ...parts.resources }, closing),
      (api, closing) => exchangeRoutes(api, parts.exchange, closing),
      (api) => stagerRoutes(api, parts.stagers),
      (api) => stagerCacheRoutes(api, parts.stagerCaches),
      (api) => stagerSecretRoutes(api, parts.stagerSecrets),
      (api) => pipelineRoutes(api, parts.pipelines),
      (api) => detectionRoutes(api, parts.pipelines),
      (api) => policyRoutes(api, parts.policies),
      (api) => tokenRoutes(api, parts.tokens),
      (api) => webhookRoutes(api, parts.webhooks),
      (api) => resolutionRoutes(api, parts.resolution),
      (api, closing) => stagingRoutes(api, parts.stagings, parts.stagingLog, closing),
      (api, closing) => stagingLogRoutes(api, parts.stagingLog, closing),
      (api, closing) => keptLaunchRoutes(api, parts.keptLaunches, closing),
      (api, closing) => runRoutes(api, { running, self: nodes.self, ...parts.runs }, closing),
      (api, closing) =>
        dropletRunRoutes(api, { running, self: nodes.self, recent: uploads, ...parts.dropletRuns }, closing),
      (api) => nodeRoutes(api, parts.node),
      (api) => nodesRoutes(api, parts.nodes),
      (api) => metricsRoutes(api, parts.metrics),
      (api) => garbageRoutes(api, parts.garbage),
      (api) => backupRoutes(api, parts.backups),
      (api, closing) => bootstrapRoutes(api, parts.bootstraps, closing),
    ],
  })
}

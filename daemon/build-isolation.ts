import type { Logger } from 'pino'
import { installDirectory } from '../base/installation.js'
import { StagerCaches } from '../isolation/caches/stager-caches.js'
import { DockerIsolation } from '../isolation/docker/docker-isolation.js'
import { assertHoldsOverlays } from '../isolation/host/overlay-probe.js'
import type { Isolation, ResourceReader } from '../isolation/isolation.js'
import type { LayerVerification } from '../isolation/layer-verification.js'
import { LayerDirectoryCache } from '../isolation/layers/layer-cache.js'
import { proxyAddresses } from './proxy-environment.js'
import { loadSeccompProfile } from './seccomp-profile.js'
import type { Settings } from './settings/settings.js'
import type { StateDirectory } from './state-directory.js'
import type { Verifications } from './verification/verifications.js'

export interface IsolationParts {
  readonly settings: Settings
  readonly state: Pick<StateDirectory, 'path' | 'nodeId' | 'layers' | 'caches'>
  readonly resources: ResourceReader
  /** Content by absolute path of files in every root. */
  readonly extraFiles: ReadonlyMap<string, string>
  readonly verifications: Pick<Verifications, 'ofLayers' | 'damaged'>
  readonly logger: Pick<Logger, 'warn'>
}

export type BuildIsolation = (parts: IsolationParts) => Promise<Isolation & LayerVerification>

/**
 * The isolation of the daemon, by the Docker Engine of this host.
 *
 * Throws `BadInput` for a state directory that cannot hold overlays, and for settings that do not work on this host.
 */
export const buildDockerIsolation: BuildIsolation = async (parts) => {
  const { settings, state, resources, extraFiles, verifications, logger } = parts
  await assertHoldsOverlays(state.path)
  return new DockerIsolation({
    owner: { nodeId: state.nodeId, installDirectory: installDirectory() },
    stateDirectory: state.path,
    layers: await LayerDirectoryCache.open({
      ...{ directory: state.layers, resources, observer: verifications.ofLayers },
      damaged: verifications.damaged('layer').map(({ id }) => id),
    }),
    caches: new StagerCaches({
      directory: state.caches,
      ...settings.stagerCache,
      warn: (details, message) => logger.warn(details, message),
    }),
    addressPool: settings.bridgePool,
    networkMtu: settings.networkMtu,
    compressor: settings.compressor,
    extraFiles,
    proxies: proxyAddresses(settings.proxy),
    seccomp: await loadSeccompProfile(settings.seccompProfile),
  })
}

import type { Logger } from 'pino'
import { installDirectory } from '../base/installation.js'
import { StagerCaches } from '../isolation/caches/stager-caches.js'
import { DockerIsolation } from '../isolation/docker/docker-isolation.js'
import { assertHoldsOverlays } from '../isolation/host/overlay-probe.js'
import type { Isolation, ResourceReader } from '../isolation/isolation.js'
import { LayerDirectoryCache } from '../isolation/layers/layer-cache.js'
import { proxyAddresses } from './proxy-environment.js'
import type { Settings } from './settings/settings.js'
import type { StateDirectory } from './state-directory.js'

export interface IsolationParts {
  readonly settings: Settings
  readonly state: Pick<StateDirectory, 'path' | 'nodeId' | 'layers' | 'caches'>
  readonly resources: ResourceReader
  /** Content by absolute path of files in every root. */
  readonly extraFiles: ReadonlyMap<string, string>
  readonly logger: Pick<Logger, 'warn'>
}

export type BuildIsolation = (parts: IsolationParts) => Promise<Isolation>

/**
 * The isolation of the daemon, by the Docker Engine of this host.
 *
 * Throws `BadInput` for a state directory that cannot hold overlays, and for settings that do not work on this host.
 */
export const buildDockerIsolation: BuildIsolation = async ({ settings, state, resources, extraFiles, logger }) => {
  await assertHoldsOverlays(state.path)
  return new DockerIsolation({
    owner: { nodeId: state.nodeId, installDirectory: installDirectory() },
    stateDirectory: state.path,
    layers: await LayerDirectoryCache.open({ directory: state.layers, resources }),
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
  })
}

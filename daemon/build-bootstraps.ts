import { installDirectory } from '../base/installation.js'
import { Bootstraps, type BootstrapsParts } from './bootstrap/bootstraps.js'
import { BuildStaging, type BuildStagingParts } from './bootstrap/build-staging.js'
import { ItemMaker, type ItemMakerParts } from './bootstrap/make-item.js'
import { readShipped } from './bootstrap/read-shipped.js'
import { LogStore } from './log/log-store.js'

type Parts = Pick<BootstrapsParts, 'bootstraps' | 'logger' | 'duties'> &
  Omit<ItemMakerParts, 'builds'> &
  BuildStagingParts & {
    /** Of the logs of bootstraps. */
    readonly logDirectory: string
    readonly debianMirror: string | undefined
  }

/** The bootstraps of the recipes that ship with stagerd, with their logs. */
export function buildBootstraps({
  bootstraps,
  logger,
  duties,
  stagings,
  ledger,
  logs,
  logDirectory,
  debianMirror,
  ...parts
}: Parts) {
  const ownLogs = new LogStore(logDirectory, async (uuid) => (await bootstraps.get(uuid)).state !== 'running')
  return {
    logs: ownLogs,
    bootstraps: new Bootstraps({
      bootstraps,
      maker: new ItemMaker({ ...parts, builds: new BuildStaging({ stagings, ledger, logs }) }),
      readShipped: () => readShipped(installDirectory(), debianMirror),
      logs: ownLogs,
      logger,
      duties,
    }),
  }
}

import type { Registry } from 'prom-client'
import type { Logger } from 'pino'
import { installDirectory } from '../base/installation.js'
import { readNatsCredentials } from './cloud-foundry/nats-credentials.js'
import { NatsBus } from './cloud-foundry/nats-bus.js'
import { PlugIns, type PlugInsParts } from './cloud-foundry/plug-ins.js'
import { readPlugInTable } from './cloud-foundry/read-plug-in-table.js'
import { StagingRequests, type RequestsStatus } from './cloud-foundry/staging-requests.js'
import { NAMESPACE, TaskRunner, type TaskRunnerParts } from './cloud-foundry/task-runner.js'
import { countRequests, measureTasks } from './metrics/cloud-foundry-metrics.js'
import { OutboundClient } from './outbound/outbound-client.js'
import type { Seal } from './secrets/seal.js'
import type { Settings } from './settings/settings.js'
import type { DutyTerm } from './store/duties.js'
import type { TaskRepository } from './store/task-repository.js'
import type { Wakeups } from './store/wakeups.js'

export interface CloudFoundryParts
  extends
    Omit<TaskRunnerParts, 'client' | 'timeoutMs' | 'logger' | 'tasks' | 'plugIns'>,
    Omit<PlugInsParts, 'table' | 'namespace'> {
  readonly settings: Settings['cloudFoundry']
  readonly tasks: TaskRepository
  readonly term: () => DutyTerm | undefined
  readonly isShared: boolean
  readonly wakeups: Wakeups
  readonly seal: Seal
  /** PEM. Authorities that are trusted besides those that come with Node.js. */
  readonly authorities: string | undefined
  readonly registry: Registry
  readonly nodeId: string
  readonly logger: Logger
}

export interface CloudFoundry {
  /** As it is now. */
  readonly status: RequestsStatus
  readonly start: () => void
  /** See `StagingRequests`. */
  readonly look: () => void
  readonly drain: () => Promise<void>
  readonly stop: () => Promise<void>
}

/** The older staging service, if the settings turn it on. Throws `BadInput` (`bad-settings`) for its credentials. */
export async function buildCloudFoundry(parts: CloudFoundryParts): Promise<CloudFoundry | undefined> {
  const { settings, authorities, registry, logger, nodeId, isShared, term, wakeups, ...rest } = parts
  const { nats, subjects, maxActiveTasks: maxTasks, maxStagingDurationMs: timeoutMs, networks } = settings
  if (!nats) {
    const tasks = await parts.tasks.count(nodeId)
    if (tasks > 0)
      logger.warn(
        { tasks },
        'staging requests of Cloud Foundry are recorded, and wait until cloud-foundry-nats is set again: cancel their stagings if it will not be',
      )
    return undefined
  }
  const authenticator = await readNatsCredentials(settings.credentials)
  const table = await readPlugInTable(installDirectory(), settings.frameworks)
  // No proxy: the older service used none.
  const client = new OutboundClient({ networks, setting: 'cloud-foundry-networks', authorities })
  const requests = new StagingRequests({
    ...{ subjects, maxTasks, logger, tasks: parts.tasks, seal: parts.seal, term, isShared },
    left: () => wakeups.notify('tasks', ''),
    open: () =>
      NatsBus.open({
        ...{ servers: nats.servers, name: `stagerd ${nodeId}`, logger, authenticator },
        ...(nats.tls ? { tls: authorities === undefined ? {} : { authorities } } : {}),
      }),
    runner: new TaskRunner({
      ...{ ...rest, client, timeoutMs, logger },
      plugIns: new PlugIns({ ...rest, table, namespace: NAMESPACE }),
    }),
    received: countRequests(registry),
  })
  measureTasks(registry, () => requests.status)
  const look = () => requests.look()
  const end = wakeups.listen('tasks', look)
  return {
    get status() {
      return requests.status
    },
    start: () => requests.start(),
    look,
    drain: () => requests.drain(),
    stop: async () => {
      end()
      await requests.stop()
      await client.close()
    },
  }
}

import { Counter, type Registry } from 'prom-client'
import { readFile } from 'node:fs/promises'
import type { Logger } from 'pino'
import { BadInput, messageOf } from '../base/errors.js'
import { installDirectory } from '../base/installation.js'
import { NatsBus } from './cloud-foundry/nats-bus.js'
import { StagingRequests, type RequestResult } from './cloud-foundry/staging-requests.js'
import { PlugIns, type PlugInsParts } from './cloud-foundry/plug-ins.js'
import { readPlugInTable } from './cloud-foundry/read-plug-in-table.js'
import { NAMESPACE, TaskRunner, type TaskRunnerParts } from './cloud-foundry/task-runner.js'
import { OutboundClient } from './outbound/outbound-client.js'
import type { Seal } from './secrets/seal.js'
import type { Settings } from './settings/settings.js'
import type { TaskRepository } from './store/task-repository.js'

export interface CloudFoundryParts
  extends
    Omit<TaskRunnerParts, 'client' | 'timeoutMs' | 'logger' | 'tasks' | 'plugIns'>,
    Omit<PlugInsParts, 'table' | 'namespace'> {
  readonly settings: Settings['cloudFoundry']
  readonly tasks: TaskRepository
  readonly seal: Seal
  /** PEM. Authorities that are trusted besides those that come with Node.js. */
  readonly authorities: string | undefined
  readonly registry: Registry
  readonly nodeId: string
  readonly logger: Logger
}

export interface CloudFoundry {
  readonly start: () => void
  readonly drain: () => Promise<void>
  readonly stop: () => Promise<void>
}

/** The older staging service, if the settings turn it on. Throws `BadInput` (`bad-settings`) for its credentials. */
export async function buildCloudFoundry(parts: CloudFoundryParts): Promise<CloudFoundry | undefined> {
  const { settings, authorities, registry, logger, nodeId, ...rest } = parts
  const { nats, subjects, maxTasks, timeoutMs, networks } = settings
  if (!nats) return undefined
  const credentials = await readCredentials(settings.credentials)
  const table = await readPlugInTable(installDirectory(), settings.frameworks)
  // No proxy: the older service used none.
  const client = new OutboundClient({ networks, setting: 'cloud-foundry-networks', authorities })
  const requests = new StagingRequests({
    ...{ subjects, maxTasks, logger, tasks: parts.tasks, seal: parts.seal },
    open: () =>
      NatsBus.open({
        ...{ servers: nats.servers, name: `stagerd ${nodeId}`, logger, ...credentials },
        ...(nats.tls ? { tls: authorities === undefined ? {} : { authorities } } : {}),
      }),
    runner: new TaskRunner({
      ...{ ...rest, client, timeoutMs, logger },
      plugIns: new PlugIns({ ...rest, table, namespace: NAMESPACE }),
    }),
    received: counterOf(registry),
  })
  return {
    start: () => requests.start(),
    drain: () => requests.drain(),
    stop: async () => {
      await requests.stop()
      await client.close()
    },
  }
}

function counterOf(registry: Registry): (result: RequestResult) => void {
  const counter = new Counter({
    name: 'stagerd_cloud_foundry_requests_total',
    help: 'Staging requests of Cloud Foundry: accepted, refused with an answer, malformed, or lost because they could not be recorded',
    labelNames: ['result'],
    registers: [registry],
  })
  for (const result of ['accepted', 'refused', 'malformed', 'lost'] as const) counter.inc({ result }, 0)
  return (result) => {
    counter.inc({ result })
  }
}

/** `USER:PASSWORD`, or a token alone. */
async function readCredentials(
  file: string | undefined,
): Promise<{ readonly user?: string; readonly password?: string; readonly token?: string }> {
  if (file === undefined) return {}
  let text: string
  try {
    text = (await readFile(file, 'utf8')).trim()
  } catch (error) {
    throw new BadInput('bad-settings', `The credentials for NATS cannot be read: ${messageOf(error)}.`, {
      cause: error,
    })
  }
  const colon = text.indexOf(':')
  if (text === '' || text.includes('\n'))
    throw new BadInput('bad-settings', `${file} must have one line: USER:PASSWORD, or a token for NATS.`)
  return colon < 0 ? { token: text } : { user: text.slice(0, colon), password: text.slice(colon + 1) }
}

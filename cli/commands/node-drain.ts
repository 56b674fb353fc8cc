import { setTimeout as delay } from 'node:timers/promises'
import type { Command } from 'commander'
import type { FleetNode } from '../../daemon/documents/fleet-node.js'
import type { NodeStatus } from '../../daemon/documents/node.js'
import { parseDuration } from '../options/parse-duration.js'
import { EXIT } from '../session/exit-codes.js'
import { examples, type CommandLine } from '../session/command-line.js'
import type { Session } from '../session/session.js'
import { nodePath, stateOf } from './node-fleet.js'

interface DrainOptions {
  readonly wait: boolean
  readonly interval: number
}

export function addNodeDrainCommands(node: Command, commandLine: CommandLine): void {
  node
    .command('drain [node]')
    .description(
      'Start no queued staging any more, and wait for those that run. New ones are queued. It holds until `node undrain`, or a restart of stagerd. With a name or UUID: another node that shares the database.',
    )
    .option('--no-wait', 'do not wait for the stagings that run')
    .option('--interval <duration>', 'how often to look whether they have ended', parseDuration, 1_000)
    .addHelpText('after', examples('node drain', 'node drain --no-wait', 'node drain build-3', 'node undrain'))
    .action(
      commandLine.run((session, options: DrainOptions, name?: string) =>
        name === undefined ? drain(session, options) : drainOther(session, options, name),
      ),
    )
  node
    .command('undrain [node]')
    .description('Start queued stagings again.')
    .addHelpText('after', examples('node undrain', 'node undrain build-3'))
    .action(
      commandLine.run(async ({ api, output, signal }, _options, name?: string) => {
        if (name !== undefined) {
          const node = await api.post<FleetNode>(`${nodePath(name)}/undrain`, undefined, { signal })
          await output.result(node, () => `The node ${node.name} starts stagings again.`)
          return EXIT.success
        }
        const status = await api.post<NodeStatus>('/v1/node/undrain', undefined, { signal })
        await output.result(status, () => `The node starts stagings again: ${status.stagings.queued} are queued.`)
        return EXIT.success
      }),
    )
}

async function drain({ api, output, signal }: Session, { wait, interval }: DrainOptions): Promise<number> {
  let status = await api.post<NodeStatus>('/v1/node/drain', undefined, { signal })
  const isBusy = () => status.stagings.running > 0 || (status.stagings.at_work ?? 0) > 0
  if (wait && status.stagings.running > 0)
    await output.note(`Waiting for ${status.stagings.running} running stagings; Ctrl-C leaves the node draining.`)
  // Also for what has ended to be removed: after that, nothing of a staging is on the host.
  while (wait && status.draining && isBusy()) {
    await delay(interval, undefined, { signal })
    status = await api.get<NodeStatus>('/v1/node', { signal })
  }
  await output.result(status, () => {
    const { running, queued } = status.stagings
    if (!status.draining) return 'The node was undrained, or stagerd was restarted.'
    return `The node is draining: ${running} stagings run, ${queued} are queued.`
  })
  return EXIT.success
}

async function drainOther(
  { api, output, signal }: Session,
  { wait, interval }: DrainOptions,
  name: string,
): Promise<number> {
  let node = await api.post<FleetNode>(`${nodePath(name)}/drain`, undefined, { signal })
  if (wait && node.alive && node.running > 0)
    await output.note(`Waiting for ${node.running} running stagings; Ctrl-C leaves the node draining.`)
  while (wait && node.alive && node.state === 'draining' && node.running > 0) {
    await delay(interval, undefined, { signal })
    node = await api.get<FleetNode>(nodePath(node.uuid), { signal })
  }
  await output.result(node, () => `The node ${node.name} is ${stateOf(node)}: ${node.running} stagings run.`)
  return EXIT.success
}

import type { Command } from 'commander'
import type { FleetNode } from '../../daemon/documents/fleet-node.js'
import type { Output } from '../display/output.js'
import { SHORTEN_ID, SHORTEN_NAME } from '../display/shorten.js'
import { table } from '../display/table.js'
import { ago } from '../display/time.js'
import { EXIT } from '../session/exit-codes.js'
import { examples, type CommandLine } from '../session/command-line.js'

export function addNodeFleetCommands(node: Command, commandLine: CommandLine): void {
  node
    .command('list')
    .description('List the nodes that share the database of this one.')
    .addHelpText('after', examples('node list', 'node list --json'))
    .action(
      commandLine.run(async ({ api, output, signal }) => {
        const nodes = await api.get<FleetNode[]>('/v1/nodes', { signal })
        await output.result(nodes, () => list(output, nodes))
        return EXIT.success
      }),
    )
  node
    .command('show <node>')
    .description('Show a node, by its name or UUID.')
    .addHelpText('after', examples('node show build-3'))
    .action(
      commandLine.run(async ({ api, output, signal }, _options, name: string) => {
        const shown = await api.get<FleetNode>(nodePath(name), { signal })
        await output.result(shown, () => describe(shown))
        return EXIT.success
      }),
    )
  node
    .command('remove <node>')
    .description('Forget a node that is gone for good. Refused while it is alive.')
    .addHelpText('after', examples('node remove build-3'))
    .action(
      commandLine.run(async ({ api, output, signal }, _options, name: string) => {
        const removed = await api.delete<FleetNode>(nodePath(name), { signal })
        await output.result(removed, () => `Removed the node ${removed.name} (${removed.uuid}).`)
        return EXIT.success
      }),
    )
}

export function nodePath(node: string): string {
  return `/v1/nodes/${encodeURIComponent(node)}`
}

/** What people call its state: whether it lives comes first. */
export function stateOf({ alive, state }: FleetNode): string {
  return alive ? state : 'gone'
}

function list(output: Output, nodes: readonly FleetNode[]): string {
  return table(
    output,
    [
      { head: 'NAME', shorten: SHORTEN_NAME },
      { head: 'STATE' },
      { head: 'RUNNING' },
      { head: 'LABELS', shorten: SHORTEN_NAME },
      { head: 'SEEN' },
      { head: 'UUID', shorten: SHORTEN_ID },
    ],
    nodes.map((node) => [
      node.self ? `${node.name} (this one)` : node.name,
      stateOf(node),
      String(node.running),
      node.labels.join(','),
      ago(node.last_seen_at),
      node.uuid,
    ]),
    'There are no nodes.',
  )
}

function describe(node: FleetNode): string {
  return [
    `Node: ${node.name}${node.self ? ' (the one that answers)' : ''}`,
    `UUID: ${node.uuid}`,
    `State: ${stateOf(node)}`,
    `Running: ${node.running}`,
    ...(node.labels.length > 0 ? [`Labels: ${node.labels.join(', ')}`] : []),
    ...(node.address === undefined ? [] : [`Address: ${node.address}`]),
    `First seen: ${node.first_seen_at}`,
    `Last seen: ${node.last_seen_at}`,
  ].join('\n')
}

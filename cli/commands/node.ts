import type { Command } from 'commander'
import type { DoctorReport, NodeStatus } from '../../daemon/documents/node.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { nodeOption, type NodeOptions } from '../options/node-option.js'
import type { Output } from '../display/output.js'
import { formatBytes } from '../display/progress.js'
import { SHORTEN_ID, SHORTEN_NAME } from '../display/shorten.js'
import { table } from '../display/table.js'
import { ago, ahead, elapsed } from '../display/time.js'
import { EXIT } from '../session/exit-codes.js'
import { addNodeBackupCommands } from './node-backup.js'
import { addNodeDrainCommands } from './node-drain.js'
import { addNodeFleetCommands } from './node-fleet.js'
import { addNodeGcCommand } from './node-gc.js'

const COLOURS = { good: 'green', slow: 'yellow', bad: 'red' } as const

export function addNodeCommands(program: Command, commandLine: CommandLine): void {
  const node = program
    .command('node')
    .description('Inspect, clean up, back up and restore the staging node: this host and its daemon.')
    .addHelpText('after', examples('node status', 'node doctor', 'node gc --dry-run'))
  node
    .command('status')
    .description(
      'Show the state of the daemon. Running stagings are those of this node, queued ones those of all nodes that share its database.',
    )
    .addOption(nodeOption())
    .addHelpText('after', examples('node status', 'node status --json'))
    .action(
      commandLine.run(async ({ api, output, signal }, { node: name }: NodeOptions) => {
        const status = await api.get<NodeStatus>('/v1/node', { query: { node: name }, signal })
        await output.result(status, () => describe(output, status))
        return undefined
      }),
    )
  node
    .command('doctor')
    .description('Check that this host meets the requirements of stagings. Exits with 1 when a check is bad.')
    .addOption(nodeOption())
    .addHelpText('after', examples('node doctor', 'node doctor --node build-2'))
    .action(
      commandLine.run(async ({ api, output, signal }, { node: name }: NodeOptions) => {
        const report = await api.get<DoctorReport>('/v1/node/doctor', { query: { node: name }, signal })
        const { findings } = report
        await output.result(report, () =>
          findings
            .map(({ subject, verdict, message }) => {
              return `${output.style(COLOURS[verdict], verdict.padEnd(4))}  ${subject}: ${message}`
            })
            .join('\n'),
        )
        return findings.some(({ verdict }) => verdict === 'bad') ? EXIT.stagerdFailed : EXIT.success
      }),
    )
  addNodeFleetCommands(node, commandLine)
  addNodeDrainCommands(node, commandLine)
  addNodeGcCommand(node, commandLine)
  addNodeBackupCommands(node, commandLine)
}

function describe(output: Output, status: NodeStatus): string {
  const { kept } = status
  const { queued, interrupted = 0, running, limit } = status.stagings
  return [
    `stagerd ${status.version}, up for ${elapsed(status.uptime_seconds * 1000)}`,
    `Node: ${status.node}`,
    `State directory: ${status.state_dir}`,
    `Engine: ${status.engine.answers ? '' : 'does not answer: '}${status.engine.message}`,
    `Packages: ${status.packages}`,
    `Stagings: ${running} of at most ${limit} running, ${queued} queued`,
    ...(interrupted > 0 ? [`Interrupted stagings: ${interrupted}, which go on at the next node with a free slot`] : []),
    ...(status.draining ? ['Draining: queued stagings wait for `stagectl node undrain`, or for a restart'] : []),
    `Containers created ahead: ${status.prepared ?? 0}`,
    `Networks kept for the next launches: ${status.kept_networks ?? 0}`,
    `Caches of stagers: ${status.stager_caches.count}, ${formatBytes(status.stager_caches.bytes)}`,
    ...describeVerification(status.verification),
    ...describeRequests(status.cloud_foundry),
    ...describeKept(output, kept),
  ].join('\n')
}

function describeVerification(found: NodeStatus['verification']): string[] {
  if (!found) return []
  const { bytes, due_bytes: due, oldest_at: oldest, damaged_blobs: damaged, damaged_layers: layers } = found
  const ages = oldest === undefined ? '' : `, the oldest verification ${ago(oldest)}`
  const rest =
    found.period_seconds === 0
      ? 'not verified in the background'
      : bytes === 0
        ? 'none yet'
        : due === 0
          ? `${formatBytes(bytes)} verified${ages}`
          : `${formatBytes(due)} of ${formatBytes(bytes)} to be verified${ages}`
  return [
    `Stored data: ${rest}`,
    ...(damaged > 0 ? [`Damaged data: ${damaged}, which \`stagectl node doctor\` names`] : []),
    ...(layers > 0 ? [`Damaged layers in use: ${layers}, made again when nothing uses them`] : []),
  ]
}

function describeRequests(found: NodeStatus['cloud_foundry']): string[] {
  if (!found) return []
  const { ready, message, active, waiting } = found
  return [`Requests of Cloud Foundry: ${active} under way, ${waiting} waiting${ready ? '' : `. None come: ${message}`}`]
}

function describeKept(output: Output, kept: NodeStatus['kept']): string[] {
  if (kept.length === 0) return []
  const rows = kept.map((one) => [
    one.staging,
    one.stager,
    ago(one.since),
    ahead(one.until),
    one.used_bytes === undefined ? 'unknown' : formatBytes(one.used_bytes),
    String(one.shells),
  ])
  const columns = [
    { head: 'STAGING', shorten: SHORTEN_ID },
    { head: 'STAGER', shorten: SHORTEN_NAME },
    { head: 'SINCE' },
    { head: 'UNTIL' },
    { head: 'DISK' },
    { head: 'SHELLS' },
  ]
  return ['Kept containers:', table(output, columns, rows, '')]
}

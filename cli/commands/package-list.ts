import type { Command } from 'commander'
import type { Package } from '../../daemon/documents/package.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { dotted } from '../display/describe-package.js'
import { formatBytes } from '../display/progress.js'
import { table } from '../display/table.js'
import { EXIT } from '../session/exit-codes.js'

interface ListOptions {
  readonly type?: string
  readonly provides?: string
}

export function addPackageListCommand(group: Command, commandLine: CommandLine): void {
  group
    .command('list')
    .description('Packages of the current namespace and all below it.')
    .option('--type <type>', 'only those that provide something of this type: os, runtime, file or package')
    .option('--provides <name>', 'only those that provide this, of whatever type')
    .addHelpText(
      'after',
      examples('package list', 'package list --type os --namespace /apcera', 'package list --provides node'),
    )
    .action(
      commandLine.run(async ({ api, output, namespace, signal }, { type, provides }: ListOptions) => {
        const packages = await api.get<Package[]>('/v1/packages', { query: { type, provides, namespace }, signal })
        await output.result(packages, () =>
          table(
            output,
            ['FQN', 'STATE', 'SIZE', 'PROVIDES'],
            packages.map((one) => [
              one.fqn,
              one.state,
              one.resource ? formatBytes(one.resource.length) : '-',
              one.provides.map(dotted).join(', '),
            ]),
            `There are no such packages in ${namespace}.`,
          ),
        )
        return EXIT.success
      }),
    )
}

import type { Command } from 'commander'
import type { Package } from '../../daemon/documents/package.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { dotted } from '../display/describe-package.js'
import { formatBytes } from '../display/progress.js'
import { SHORTEN_END, SHORTEN_NAME } from '../display/shorten.js'
import { table } from '../display/table.js'
import { CAPABILITY_TYPES } from '../options/parse-capability.js'
import { parseChoice } from '../options/parse-choice.js'
import { EXIT } from '../session/exit-codes.js'

interface ListOptions {
  readonly type?: string
  readonly provides?: string
}

export function addPackageListCommand(group: Command, commandLine: CommandLine): void {
  group
    .command('list')
    .description('List the packages of the current namespace and its child namespaces.')
    .option(
      '--type <type>',
      'list only packages that provide a capability of this type: os, runtime, file or package',
      (text) => parseChoice(text, 'a type of capability', CAPABILITY_TYPES),
    )
    .option('--provides <name>', 'list only packages that provide a capability of this name, of any type')
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
            [
              { head: 'FQN', shorten: SHORTEN_NAME },
              { head: 'STATE' },
              { head: 'SIZE' },
              { head: 'PROVIDES', shorten: SHORTEN_END },
            ],
            packages.map((one) => [
              one.fqn,
              one.state,
              one.resource ? formatBytes(one.resource.length) : '-',
              one.provides.map(dotted).join(', '),
            ]),
            `No matching packages in ${namespace}.`,
          ),
        )
        return EXIT.success
      }),
    )
}

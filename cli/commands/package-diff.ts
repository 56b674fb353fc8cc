import type { Command } from 'commander'
import type { Package } from '../../daemon/documents/package.js'
import type { ResultDiff } from '../../daemon/documents/result.js'
import { packagePath } from '../api/paths.js'
import { describeDiff } from '../display/describe-diff.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { EXIT } from '../session/exit-codes.js'
import { lookUp } from '../session/look-up.js'
import { parseResultNumber } from './package-history.js'

export function addPackageDiffCommand(group: Command, commandLine: CommandLine): void {
  group
    .command('diff <name> [from] [to]')
    .description(
      'Show what differs between two results of a package: A added, C changed, D removed, M only mode, owner, time or link ' +
        'target. By default: the newest result that the package does not have now, and what it has now.',
    )
    .addHelpText('after', examples('package diff my-app', 'package diff my-app 3', 'package diff my-app 3 5 --json'))
    .action(
      commandLine.run(async (session, _options, name: string, from?: string, to?: string) => {
        const { api, output, signal } = session
        const query = {
          ...(from === undefined ? {} : { from: String(parseResultNumber(from)) }),
          ...(to === undefined ? {} : { to: String(parseResultNumber(to)) }),
        }
        const { uuid } = await lookUp<Package>(session, name, 'package')
        const diff = await api.get<ResultDiff>(`${packagePath(uuid)}/diff`, { query, signal })
        await output.result(diff, () => describeDiff(diff))
        return EXIT.success
      }),
    )
}

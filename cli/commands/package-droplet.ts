import type { Command } from 'commander'
import type { Package } from '../../daemon/documents/package.js'
import { packagePath } from '../api/paths.js'
import { formatBytes } from '../display/progress.js'
import { UsageError } from '../options/usage-error.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { EXIT } from '../session/exit-codes.js'
import { lookUp } from '../session/look-up.js'
import { receiveFile, receiveToOutput } from '../transfer/receive-file.js'

export function addPackageDropletCommand(group: Command, commandLine: CommandLine): void {
  group
    .command('droplet <name>')
    .description('Write a ready package as a droplet of Cloud Foundry: app, logs, tmp, startup and stop.')
    .requiredOption('-f, --file <file>', 'file to write; - is standard output')
    .addHelpText('after', examples('package droplet my-app -f my-app.tgz', 'package droplet my-app -f - | tar -tz'))
    .action(
      commandLine.run(async (session, { file }: { readonly file: string }, name: string) => {
        const { output } = session
        if (file === '-' && output.json)
          throw new UsageError('--json and the data cannot both go to standard output: give a file with -f.')
        const document = await lookUp<Package>(session, name, 'package')
        const droplet = { path: `${packagePath(document.uuid)}/droplet`, label: 'Downloading' }
        if (file === '-') {
          await receiveToOutput(session, droplet)
          return EXIT.success
        }
        const length = await receiveFile(session, droplet, file)
        const report = { package: document.fqn, file, length }
        await output.result(report, () => `Wrote ${formatBytes(length)} of ${document.fqn} to ${file}.`)
        return EXIT.success
      }),
    )
}

import type { Command } from 'commander'
import type { Package } from '../../daemon/documents/package.js'
import { packagePath } from '../api/paths.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { lookUp } from '../session/look-up.js'
import { receiveFile, receiveToOutput } from '../transfer/receive-file.js'
import { writeData } from '../transfer/write-data.js'

export function addPackageDropletCommand(group: Command, commandLine: CommandLine): void {
  group
    .command('droplet <name>')
    .description('Write a ready package as a droplet of Cloud Foundry: app, logs, tmp, startup and stop.')
    .requiredOption('-f, --file <file>', 'file to write; - is standard output')
    .addHelpText('after', examples('package droplet my-app -f my-app.tgz', 'package droplet my-app -f - | tar -tz'))
    .action(
      commandLine.run((session, { file }: { readonly file: string }, name: string) =>
        writeData(session, file, async () => {
          const { uuid, fqn } = await lookUp<Package>(session, name, 'package')
          const droplet = { path: `${packagePath(uuid)}/droplet`, label: 'Downloading' }
          return {
            package: fqn,
            toOutput: () => receiveToOutput(session, droplet),
            toFile: async () => ({ length: await receiveFile(session, droplet, file) }),
          }
        }),
      ),
    )
}

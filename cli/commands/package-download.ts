import type { Command } from 'commander'
import type { Package } from '../../daemon/documents/package.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { lookUp } from '../session/look-up.js'
import { download, downloadToOutput } from '../transfer/download.js'
import { writeData } from '../transfer/write-data.js'

export function addPackageDownloadCommand(group: Command, commandLine: CommandLine): void {
  group
    .command('download <name>')
    .description('Download the data of a package as a tarball.')
    .requiredOption('-f, --file <file>', 'file to write; - is standard output')
    .addHelpText(
      'after',
      examples('package download my-app -f my-app.tar.gz', 'package download my-app -f - | tar -tz'),
    )
    .action(
      commandLine.run((session, { file }: { readonly file: string }, name: string) =>
        writeData(session, file, async () => {
          const document = await lookUp<Package>(session, name, 'package')
          return {
            package: document.fqn,
            toOutput: () => downloadToOutput(session, document),
            toFile: async () => {
              const { length } = await download(session, document, file)
              return { length, digest: document.resource?.digest }
            },
          }
        }),
      ),
    )
}

import type { Command } from 'commander'
import type { Package } from '../../daemon/documents/package.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { formatBytes } from '../display/progress.js'
import { EXIT } from '../session/exit-codes.js'
import { lookUp } from '../session/look-up.js'
import { UsageError } from '../options/usage-error.js'
import { download, downloadToOutput } from '../transfer/download.js'

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
      commandLine.run(async (session, { file }: { readonly file: string }, name: string) => {
        const { output } = session
        if (file === '-' && output.json)
          throw new UsageError('--json and the data cannot both go to standard output: give a file with -f.')
        const document = await lookUp<Package>(session, name, 'package')
        if (file === '-') {
          await downloadToOutput(session, document)
          return EXIT.success
        }
        const { length } = await download(session, document, file)
        const report = { package: document.fqn, file, length, digest: document.resource?.digest }
        await output.result(report, () => `Wrote ${formatBytes(length)} of ${document.fqn} to ${file}.`)
        return EXIT.success
      }),
    )
}

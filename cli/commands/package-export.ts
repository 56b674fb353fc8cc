import type { Command } from 'commander'
import { parseFqn } from '../../base/fqn.js'
import { isUuid } from '../../base/identifiers.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { exportFile, type ExportOptions } from '../transfer/export-file.js'

export function addPackageExportCommand(group: Command, commandLine: CommandLine): void {
  group
    .command('export <names...>')
    .description('Packages as one file, for another stagerd to import.')
    .option('-f, --file <file>', 'where to; - is standard output (default: the name of the only package, with .cntmp)')
    .option('--with-dependencies', 'with everything that they need, from the operating system upward')
    .addHelpText(
      'after',
      examples('package export my-app', 'package export my-app node-20 -f both.cntmp --with-dependencies'),
    )
    .action(
      commandLine.run((session, options: ExportOptions, names: string[]) => {
        const query = { package: names.map((name) => session.ref(name, 'package')) }
        const [only = ''] = names
        const file = names.length > 1 ? 'packages' : isUuid(only) ? only : parseFqn(only, 'package', '/').name
        return exportFile(session, query, file, options)
      }),
    )
}

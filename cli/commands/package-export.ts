import type { Command } from 'commander'
import { parseFqn } from '../../base/fqn.js'
import { isUuid } from '../../base/identifiers.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { refInUse } from '../session/look-up.js'
import { exportFile, type ExportOptions } from '../transfer/export-file.js'

export function addPackageExportCommand(group: Command, commandLine: CommandLine): void {
  group
    .command('export <names...>')
    .description('Export packages to one file, which another stagerd can import.')
    .option(
      '-f, --file <file>',
      'file to write; - is standard output (default: NAME.cntmp, or packages.cntmp for several)',
    )
    .option('--with-dependencies', 'include their dependencies, down to the operating system')
    .addHelpText(
      'after',
      examples('package export my-app', 'package export my-app node-20 -f both.cntmp --with-dependencies'),
    )
    .action(
      commandLine.run(async (session, options: ExportOptions, names: string[]) => {
        const query = { package: await Promise.all(names.map((name) => refInUse(session, name, 'package'))) }
        const [first = ''] = names
        const file = names.length > 1 ? 'packages' : isUuid(first) ? first : parseFqn(first, 'package', '/').name
        return await exportFile(session, query, file, options)
      }),
    )
}

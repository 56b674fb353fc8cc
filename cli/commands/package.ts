import type { Command } from 'commander'
import type { Package } from '../../daemon/documents/package.js'
import { packagePath } from '../api/paths.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { describePackage } from '../display/describe-package.js'
import { addDeleteCommand, addShowCommand, type NamedEntity } from './named-entity.js'
import { addPackageDiffCommand } from './package-diff.js'
import { addPackageHistoryCommand, addPackageRollbackCommand } from './package-history.js'
import { addPackageBuildCommand } from './package-build.js'
import { addPackageDownloadCommand } from './package-download.js'
import { addPackageDropletCommand } from './package-droplet.js'
import { addPackageExportCommand } from './package-export.js'
import { addPackageFromFileCommand } from './package-from-file.js'
import { addPackageImportCommand } from './package-import.js'
import { addPackageListCommand } from './package-list.js'
import { addPackageResolveCommand } from './package-resolve.js'
import { addPackageUpdateCommand } from './package-update.js'

const PACKAGE: NamedEntity<Package> = {
  noun: 'package',
  kind: 'package',
  path: packagePath,
  describe: describePackage,
}

export function addPackageCommands(program: Command, commandLine: CommandLine): void {
  const group = program
    .command('package')
    .description('Manage packages: the input and the output of stagings.')
    .addHelpText(
      'after',
      examples('package list --provides node', 'package show my-app', 'package download my-app -f my-app.tar.gz'),
    )
  addPackageFromFileCommand(group, commandLine)
  addPackageBuildCommand(group, commandLine)
  addPackageListCommand(group, commandLine)
  addShowCommand(group, commandLine, PACKAGE)
  addPackageDownloadCommand(group, commandLine)
  addPackageDropletCommand(group, commandLine)
  addPackageHistoryCommand(group, commandLine)
  addPackageDiffCommand(group, commandLine)
  addPackageRollbackCommand(group, commandLine)
  addPackageExportCommand(group, commandLine)
  addPackageImportCommand(group, commandLine)
  addPackageUpdateCommand(group, commandLine)
  addPackageResolveCommand(group, commandLine)
  addDeleteCommand(group, commandLine, PACKAGE)
}

import type { Command } from 'commander'
import type { Capability } from '../../daemon/documents/capability.js'
import type { ImportReport } from '../../daemon/documents/exchange.js'
import type { Query } from '../api/control-api.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { dotted } from '../display/describe-package.js'
import { EXIT } from '../session/exit-codes.js'
import { collectCapabilities } from '../options/parse-capability.js'
import { UsageError } from '../options/usage-error.js'
import type { Session } from '../session/session.js'
import { importFile } from '../transfer/import-file.js'

interface ImportOptions {
  readonly override?: boolean
  readonly skipExisting?: boolean
  readonly overrideNamespace?: boolean
  readonly name?: string
  readonly provides?: Capability[]
  readonly dependsOn?: Capability[]
}

export function addPackageImportCommand(group: Command, commandLine: CommandLine): void {
  group
    .command('import <files...>')
    .description(
      'Import packages, stagers and pipelines from files that `export` wrote. A file is imported completely or not at all.',
    )
    .option('--override', 'replace what exists under the same name')
    .option('--skip-existing', 'keep what exists under the same name')
    .option('-o, --override-namespace', 'import into the current namespace instead of the namespaces in the file')
    .option('--name <name>', 'name of the package, for a file without a manifest')
    .option(
      '--provides <type.name,...>',
      'for a file without a manifest: capabilities that other packages can depend on (repeatable)',
      collectCapabilities,
    )
    .option(
      '--depends-on <type.name,...>',
      'for a file without a manifest: capabilities that it depends on (repeatable)',
      collectCapabilities,
    )
    .addHelpText(
      'after',
      examples(
        'package import my-app.cntmp',
        'package import *.cntmp --skip-existing',
        'package import node.cntmp -o --namespace /acme/pkg/runtimes',
        'package import foreign.cntmp --name zsh-5.0.5 --provides package.zsh',
      ),
    )
    .action(commandLine.run(importFiles))
}

async function importFiles(session: Session, options: ImportOptions, files: string[]): Promise<number> {
  const query = queryOf(session, options)
  if (options.name !== undefined && files.length > 1)
    throw new UsageError('--name applies to one file: import the files one by one.')
  const reports: ({ readonly file: string } & ImportReport)[] = []
  for (const file of files) {
    const report = await importFile(session, file, query)
    reports.push({ file, ...report })
    if (!session.output.json) await session.output.result(report, () => describe(file, report))
  }
  if (session.output.json) await session.output.document(reports)
  return EXIT.success
}

function queryOf(session: Session, options: ImportOptions): Query {
  if (options.override === true && options.skipExisting === true)
    throw new UsageError('--override and --skip-existing exclude each other: give only one of them.')
  return {
    existing: options.override === true ? 'override' : options.skipExisting === true ? 'skip' : undefined,
    namespace: options.overrideNamespace === true ? session.namespace : undefined,
    name: options.name === undefined ? undefined : session.newName(options.name, 'package').fqn,
    provides: options.provides?.map(dotted),
    depends_on: options.dependsOn?.map(dotted),
  }
}

const OUTCOME_LABELS = { made: 'Imported', replaced: 'Replaced', skipped: 'Kept' } as const

function describe(file: string, { packages, stagers, pipelines }: ImportReport): string {
  const all = [...packages, ...stagers, ...pipelines]
  if (all.length === 0) return `${file} contains nothing to import.`
  return all.map(({ fqn, outcome }) => `${OUTCOME_LABELS[outcome]} ${fqn}.`).join('\n')
}

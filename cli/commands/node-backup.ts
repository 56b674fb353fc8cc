import type { Command } from 'commander'
import type { LeftOut } from '../../base/backup-archive.js'
import type { RestoreReport } from '../../daemon/documents/backup.js'
import { formatBytes } from '../display/progress.js'
import { UsageError } from '../options/usage-error.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { EXIT } from '../session/exit-codes.js'
import type { Session } from '../session/session.js'
import { backUp, receiveBackup } from '../transfer/back-up.js'
import { sendFile } from '../transfer/file-to-send.js'

interface RestoreOptions {
  readonly replace?: boolean
}

export function addNodeBackupCommands(node: Command, commandLine: CommandLine): void {
  node
    .command('backup <file>')
    .description(
      'Back up the node to a file, also while stagings run: all packages, stagers, pipelines, policies, tokens, stagings ' +
        'and logs. - is standard output. Exits with 1 if the node has lost some data, which the backup then lacks, too.',
    )
    .addHelpText('after', examples('node backup node.tar', 'node backup - | gzip > node.tar.gz'))
    .action(commandLine.run((session, _options, file: string) => backup(session, file)))
  node
    .command('restore <file>')
    .description(
      'Restore a backup to a node that has nothing. Stagings that had not ended continue. Nothing is changed unless all of ' +
        'the file is complete and undamaged.',
    )
    .option('--replace', 'give up all that the node has')
    .addHelpText('after', examples('node restore node.tar', 'node restore node.tar --replace'))
    .action(
      commandLine.run((session, options: RestoreOptions, file: string) => restore(session, file, options.replace)),
    )
}

async function backup(session: Session, file: string): Promise<number> {
  const { output } = session
  if (file === '-') {
    if (output.json) throw new UsageError('--json and the data cannot both go to standard output: give a file.')
    await receiveBackup(session, (chunk) => output.bytes(chunk, 'stdout'))
    return EXIT.success
  }
  const { length, leftOut } = await backUp(session, file)
  await warnOf(session, leftOut)
  await output.result({ file, length, left_out: leftOut }, () => `Wrote ${formatBytes(length)} to ${file}.`)
  return leftOut.length === 0 ? EXIT.success : EXIT.stagerdFailed
}

async function restore(session: Session, file: string, replace = false): Promise<number> {
  const { api, output, signal } = session
  const source = { file, from: 'stagectl node backup', label: 'Restoring' }
  const report = await sendFile(session, source, (body) =>
    api.upload<RestoreReport>('/v1/node/restore', body, { query: replace ? { replace } : {}, signal }),
  )
  await warnOf(session, report.left_out)
  await output.result(report, () => describe(report))
  return EXIT.success
}

async function warnOf({ output }: Session, leftOut: readonly LeftOut[]): Promise<void> {
  for (const { sha256, why } of leftOut) await output.warning(`The backup lacks the data ${sha256}. ${why}`)
}

function describe({ packages, stagers, pipelines, stagings, unfinished, taken_at: at }: RestoreReport): string {
  const rest = unfinished === 0 ? '' : ` ${unfinished} of the stagings had not ended, and continue.`
  return `Restored the backup of ${at}: ${packages} packages, ${stagers} stagers, ${pipelines} pipelines, ${stagings} stagings.${rest}`
}

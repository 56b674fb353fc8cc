import type { Command } from 'commander'
import type { Bootstrap, BootstrapDraft } from '../../daemon/documents/bootstrap.js'
import { followBootstrap } from '../follow/follow-bootstrap.js'
import { UsageError } from '../options/usage-error.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { EXIT } from '../session/exit-codes.js'
import type { Session } from '../session/session.js'
import { exportFile } from '../transfer/export-file.js'
import { importFile } from '../transfer/import-file.js'

interface BootstrapOptions {
  readonly from?: string
  readonly to?: string
  readonly detach?: boolean
  readonly cancel?: boolean
}

export function addBootstrapCommand(program: Command, commandLine: CommandLine): void {
  program
    .command('bootstrap [pipelines...]')
    .description(
      'Make the operating system, the runtimes, the stagers and the pipelines that ship with stagerd, where the node ' +
        'lacks them or has those of an older stagerd. stagerd does the work; Ctrl-C leaves it, and the same command ' +
        'follows it again. Without a name: all pipelines.',
    )
    .option('--from <file>', 'take them from a file that --to has written, without a network')
    .option('--to <file>', 'then write them to a file, for --from on a node without a network')
    .option('--detach', 'start it without following it')
    .option('--cancel', 'cancel the bootstrap that is running')
    .addHelpText(
      'after',
      examples(
        'bootstrap',
        'bootstrap nodejs python',
        'bootstrap --to stagerd.cntmp',
        'bootstrap --from stagerd.cntmp',
      ),
    )
    .action(commandLine.run(bootstrap))
}

async function bootstrap(session: Session, options: BootstrapOptions, pipelines: string[]): Promise<number> {
  const { api, output, signal } = session
  assertConsistent(options, pipelines)
  if (options.cancel === true) return await cancel(session)
  if (options.from !== undefined) {
    const report = await importFile(session, options.from, { existing: 'renew' })
    const all = [...report.packages, ...report.stagers, ...report.pipelines]
    const changed = all.filter(({ outcome }) => outcome !== 'skipped').length
    await output.result(
      report,
      () => `Took ${changed} of ${all.length} objects from ${options.from}; the others were there.`,
    )
    return EXIT.success
  }
  const draft: BootstrapDraft = pipelines.length === 0 ? {} : { pipelines }
  const started = await api.post<Bootstrap>('/v1/bootstraps', draft, { signal })
  if (options.detach === true) {
    await output.result(started, () => `Bootstrap ${started.uuid} has started: follow it with \`stagectl bootstrap\`.`)
    return EXIT.success
  }
  const ended = await followBootstrap(session, started)
  if (ended.state === 'succeeded' && options.to !== undefined) return await exportAll(session, ended, options.to)
  if (output.json) await output.document(ended)
  switch (ended.state) {
    case 'succeeded':
      return EXIT.success
    case 'cancelled':
      return EXIT.cancelled
    case 'failed':
    case 'running':
      return EXIT.stagerFailed
  }
}

/** Every stager has a pipeline of its name. */
async function exportAll(session: Session, { items }: Bootstrap, file: string): Promise<number> {
  const names = items.map(({ name }) => name)
  const query = {
    package: names.filter((name) => name.startsWith('package::')),
    pipeline: names.filter((name) => name.startsWith('job::')).map((name) => name.replace('job::', 'stagpipe::')),
  }
  return await exportFile(session, query, file, { file })
}

function assertConsistent({ from, to, detach, cancel }: BootstrapOptions, pipelines: readonly string[]): void {
  if (to !== undefined && (from !== undefined || detach === true))
    throw new UsageError('--to needs a bootstrap that has ended: give neither --from nor --detach with it.')
  if (from !== undefined && pipelines.length > 0)
    throw new UsageError('--from takes everything that is in the file: give no names of pipelines with it.')
  if (cancel === true && (from !== undefined || to !== undefined || detach === true || pipelines.length > 0))
    throw new UsageError('--cancel stands alone: give neither names nor other options with it.')
}

async function cancel({ api, output, signal }: Session): Promise<number> {
  const [newest] = await api.get<Bootstrap[]>('/v1/bootstraps', { query: { limit: 1 }, signal })
  if (newest?.state !== 'running') {
    await output.result(newest ?? null, () => 'No bootstrap is running.')
    return EXIT.success
  }
  const cancelled = await api.post<Bootstrap>(`/v1/bootstraps/${newest.uuid}/cancel`, undefined, { signal })
  await output.result(cancelled, () => `Bootstrap ${newest.uuid} is being cancelled.`)
  return EXIT.success
}

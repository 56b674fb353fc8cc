import type { Command } from 'commander'
import type { Staging } from '../../daemon/documents/staging.js'
import { stagingPath } from '../api/paths.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { describeStaging } from '../display/describe-staging.js'
import { EXIT, exitCodeOfStaging } from '../session/exit-codes.js'
import { addKeepOption, keepFailedOf, type KeepOptions } from '../options/parse-keep.js'
import { stageAndFollow } from '../follow/follow-staging.js'
import { findStagingId } from './staging-id.js'
import { addStagingListCommand } from './staging-list.js'
import { addStagingLogsCommand } from './staging-logs.js'
import { addStagingShellCommands } from './staging-shell.js'

export function addStagingCommands(program: Command, commandLine: CommandLine): void {
  const group = program
    .command('staging')
    .description('Manage stagings: runs of one package through one pipeline.')
    .addHelpText('after', examples('staging list', 'staging logs ID --follow', 'staging cancel ID'))
  addStagingListCommand(group, commandLine)
  group
    .command('show <id>')
    .description('Show the state of a staging and of each launch.')
    .addHelpText('after', examples('staging show 5f0c6d0e-9a3f-4c55-8d0b-0d8cf1a5a6a7'))
    .action(
      commandLine.run(async (session, _options, id: string) => {
        const { api, output, signal } = session
        const staging = await api.get<Staging>(stagingPath(await findStagingId(session, id)), { signal })
        await output.result(staging, () => describeStaging(staging))
        return EXIT.success
      }),
    )
  addStagingLogsCommand(group, commandLine)
  group
    .command('cancel <id>')
    .description('Cancel a staging. Its package stays as it was before.')
    .addHelpText('after', examples('staging cancel 5f0c6d0e-9a3f-4c55-8d0b-0d8cf1a5a6a7'))
    .action(
      commandLine.run(async (session, _options, id: string) => {
        const { api, output, signal } = session
        const path = `${stagingPath(await findStagingId(session, id))}/cancel`
        const staging = await api.post<Staging>(path, undefined, { signal })
        await output.result(staging, () =>
          staging.state === 'cancelled'
            ? `Cancelled staging ${staging.uuid}.`
            : `Staging ${staging.uuid} is being cancelled.`,
        )
        return EXIT.success
      }),
    )
  addRetry(group, commandLine)
  addStagingShellCommands(group, commandLine)
}

interface RetryOptions extends KeepOptions {
  readonly detach?: boolean
  /** False for --no-reuse. */
  readonly reuse: boolean
}

function addRetry(group: Command, commandLine: CommandLine): void {
  const retry = group
    .command('retry <id>')
    .description(
      'Stage what a staging has staged again, with the packages and the pipeline of now: after a failure, or a package that ' +
        'is ready on newer runtimes, as long as its history keeps that result.',
    )
    .option('--no-reuse', 'stage it even if nothing has changed since an earlier result')
    .option('--detach', 'print the ID of the new staging instead of following it')
    .addHelpText(
      'after',
      examples(
        'staging retry 5f0c6d0e-9a3f-4c55-8d0b-0d8cf1a5a6a7',
        'staging retry 5f0c6d0e --no-reuse',
        'staging retry 5f0c6d0e --keep-failed 15m',
      ),
    )
  addKeepOption(retry).action(
    commandLine.run(async (session, options: RetryOptions, id: string) => {
      const { api, output, signal } = session
      const path = `${stagingPath(await findStagingId(session, id))}/retry`
      const query = { ...keepFailedOf(options), ...(options.reuse ? {} : { reuse: 'false' }) }
      if (options.detach === true) {
        const submitted = await api.post<Staging>(path, undefined, { query, signal })
        await output.result(submitted, () => submitted.uuid)
        return EXIT.success
      }
      const ended = await stageAndFollow(session, { path, query })
      if (output.json) await output.document(ended)
      return exitCodeOfStaging(ended)
    }),
  )
}

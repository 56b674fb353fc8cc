import type { Command } from 'commander'
import type { LogLine } from '../../daemon/documents/staging.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { EXIT, exitCodeOfStaging } from '../session/exit-codes.js'
import { followLog } from '../follow/follow-log.js'
import { displayLine } from '../follow/follow-staging.js'
import { integerParser } from '../options/parse-number.js'
import { findStagingId } from './staging-id.js'

interface LogsOptions {
  readonly follow?: boolean
  readonly since: number
  readonly timestamps?: boolean
}

export function addStagingLogsCommand(group: Command, commandLine: CommandLine): void {
  group
    .command('logs <id>')
    .description(
      'Show the log of a staging. With --follow, waits for the end of the staging and exits with its exit code.',
    )
    .option('-f, --follow', 'wait for new lines until the staging has ended')
    .option('--since <seq>', 'show only the lines after this sequence number', integerParser(0, '120'), 0)
    .option('--timestamps', 'show the time of each line')
    .addHelpText('after', examples('staging logs 5f0c6d0e-9a3f-4c55-8d0b-0d8cf1a5a6a7 --follow'))
    .action(
      commandLine.run(async (session, { follow = false, since, timestamps = false }: LogsOptions, id: string) => {
        const { api, output, signal } = session
        // With --follow, the exit code is that of the staging, whoever reads its log.
        if (follow) output.tolerateLoss()
        const lines: LogLine[] = []
        const ended = await followLog(api, {
          staging: await findStagingId(session, id),
          since,
          follow,
          signal,
          onLine: async (line) => {
            if (output.json) lines.push(line)
            await output.untrustedLine(timestamps ? `${line.time} ${displayLine(line)}` : displayLine(line))
            output.assertWritten()
          },
          onDisconnected: () => output.warning('The connection to stagerd is lost; reconnecting...'),
        })
        if (output.json) await output.document(lines)
        return follow && ended ? exitCodeOfStaging(ended) : EXIT.success
      }),
    )
}

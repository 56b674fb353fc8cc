import type { Command } from 'commander'
import type { Package } from '../../daemon/documents/package.js'
import type { Result, RolledBack } from '../../daemon/documents/result.js'
import { packagePath } from '../api/paths.js'
import { formatBytes } from '../display/progress.js'
import { table } from '../display/table.js'
import { ago } from '../display/time.js'
import { integerParser } from '../options/parse-number.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { EXIT } from '../session/exit-codes.js'
import { lookUp } from '../session/look-up.js'

export const parseResultNumber = integerParser(1, '3')

export function addPackageHistoryCommand(group: Command, commandLine: CommandLine): void {
  group
    .command('history <name>')
    .description('List the results that a package keeps, newest first. The one that it has now is marked.')
    .addHelpText('after', examples('package history my-app', 'package history my-app --json'))
    .action(
      commandLine.run(async (session, _options, name: string) => {
        const { api, output, signal } = session
        const { fqn, uuid } = await lookUp<Package>(session, name, 'package')
        const results = await api.get<Result[]>(`${packagePath(uuid)}/results`, { signal })
        await output.result(results, () =>
          table(
            output,
            [
              { head: 'RESULT' },
              { head: 'NOW' },
              { head: 'MADE' },
              { head: 'BY' },
              { head: 'SIZE' },
              { head: 'DIGEST' },
            ],
            results.map((one) => [
              String(one.number),
              one.current ? '*' : '',
              ago(one.created_at),
              originOf(one),
              formatBytes(one.resource.length),
              one.resource.digest.slice('sha256:'.length, 'sha256:'.length + 12),
            ]),
            `${fqn} keeps no results: stage it first.`,
          ),
        )
        return EXIT.success
      }),
    )
}

export function addPackageRollbackCommand(group: Command, commandLine: CommandLine): void {
  group
    .command('rollback <name> [result]')
    .description(
      'Make an earlier result the state of a package. Without a number, it is the newest one that the package does not have ' +
        'now. The history keeps both.',
    )
    .addHelpText('after', examples('package rollback my-app', 'package rollback my-app 3'))
    .action(
      commandLine.run(async (session, _options, name: string, number?: string) => {
        const { api, output, signal } = session
        const path = `${packagePath(session.ref(name, 'package'))}/rollback`
        const chosen = number === undefined ? {} : { result: parseResultNumber(number) }
        const rolledBack = await api.post<RolledBack>(path, chosen, { signal })
        await output.result(rolledBack, () => `${rolledBack.package.fqn} has result ${rolledBack.result} now.`)
        return EXIT.success
      }),
    )
}

function originOf({ origin, staging, reused, rollback_to: to }: Result): string {
  switch (origin) {
    case 'staging':
      return reused === undefined ? `staging ${staging ?? ''}` : `staging ${staging ?? ''}, reused from ${reused}`
    case 'rollback':
      return `rollback to ${to ?? ''}`
    case 'kept':
      return 'other means'
  }
}

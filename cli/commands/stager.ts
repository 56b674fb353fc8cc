import type { Command } from 'commander'
import { SHARED_NAMESPACE } from '../../base/fqn.js'
import type { Stager } from '../../daemon/documents/stager.js'
import { ApiProblem } from '../api/api-problem.js'
import { packagePath, stagerPath } from '../api/paths.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { describeStager } from '../display/describe-stager.js'
import { SHORTEN_END, SHORTEN_NAME } from '../display/shorten.js'
import { table } from '../display/table.js'
import { EXIT } from '../session/exit-codes.js'
import type { Session } from '../session/session.js'
import { addDeleteCommand, addShowCommand, type NamedEntity } from './named-entity.js'
import { addStagerCacheCommands } from './stager-cache.js'
import { addStagerCreateCommand } from './stager-create.js'
import { addStagerSecretCommands } from './stager-secret.js'
import { programPackageOf } from '../transfer/program-package.js'
import { addStagerUpdateCommand } from './stager-update.js'

const STAGER: NamedEntity<Stager> = {
  noun: 'stager',
  kind: 'job',
  path: stagerPath,
  describe: describeStager,
  afterDelete: deleteProgram,
}

export function addStagerCommands(program: Command, commandLine: CommandLine): void {
  const group = program
    .command('stager')
    .description('Manage stagers: programs that transform packages, each in its own container.')
    .addHelpText(
      'after',
      examples('stager create nodejs --path ./nodejs-stager --start-command ./stager --pipeline', 'stager list'),
    )
  addStagerCreateCommand(group, commandLine)
  group
    .command('list')
    .description('List the stagers of the current namespace and its child namespaces.')
    .addHelpText('after', examples('stager list', 'stager list --namespace /apcera'))
    .action(
      commandLine.run(async ({ api, output, namespace, signal }) => {
        const stagers = await api.get<Stager[]>('/v1/stagers', { query: { namespace }, signal })
        await output.result(stagers, () =>
          table(
            output,
            [
              { head: 'FQN', shorten: SHORTEN_NAME },
              { head: 'START COMMAND', shorten: SHORTEN_END },
              { head: 'ADDITIVE' },
              { head: 'EGRESS' },
            ],
            stagers.map((one) => [
              one.fqn,
              one.start_command,
              one.additive ? 'yes' : 'no',
              one.allow_egress ? 'allowed' : 'none',
            ]),
            `No stagers in ${namespace}. Those that come with stagerd are in ${SHARED_NAMESPACE}; \`stagectl bootstrap\` makes them.`,
          ),
        )
        return EXIT.success
      }),
    )
  addShowCommand(group, commandLine, STAGER)
  addStagerUpdateCommand(group, commandLine)
  addDeleteCommand(group, commandLine, STAGER)
  addStagerCacheCommands(group, commandLine)
  addStagerSecretCommands(group, commandLine)
}

/** Deletes the package that `stager create` has created for it. Keeps one that has another name or is in use. */
async function deleteProgram({ api, signal }: Session, stager: Stager): Promise<void> {
  if (stager.package !== programPackageOf(stager)) return
  try {
    await api.delete(packagePath(stager.package), { signal })
  } catch (error) {
    if (!(error instanceof ApiProblem && error.status === 409)) throw error
  }
}

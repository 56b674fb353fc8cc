import path from 'node:path'
import type { Command } from 'commander'
import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import type { Policy, PolicyText, PolicyVersion } from '../../daemon/documents/policy.js'
import { ApiProblem } from '../api/api-problem.js'
import { policyPath } from '../api/paths.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { describePolicy } from '../display/describe-policy.js'
import { SHORTEN_NAME } from '../display/shorten.js'
import { table } from '../display/table.js'
import { EXIT } from '../session/exit-codes.js'
import { lookUp } from '../session/look-up.js'
import { readTextFile } from '../session/read-text-file.js'
import type { Session } from '../session/session.js'
import { addDeleteCommand, type NamedEntity } from './named-entity.js'

const POLICY: NamedEntity<Policy> = {
  noun: 'policy',
  kind: 'policydoc',
  path: policyPath,
  describe: ({ text }) => text,
}

export function addPolicyCommands(program: Command, commandLine: CommandLine): void {
  const group = program
    .command('policy')
    .description('Manage policy documents, which control the packages that a dependency may resolve to.')
    .addHelpText('after', examples('policy put prod.pol', 'policy show prod', 'policy list'))
  group
    .command('put <file>')
    .description(
      'Check a policy document and store it. For an existing document, this adds a version; earlier versions are kept.',
    )
    .option('--name <name>', 'name of the document (default: the name of the file, without .pol)')
    .addHelpText('after', examples('policy put prod.pol', 'policy put rules.pol --name /prod::rules'))
    .action(commandLine.run(put))
  addList(group, commandLine)
  addShow(group, commandLine)
  addDeleteCommand(group, commandLine, POLICY)
}

async function put(session: Session, options: { readonly name?: string }, file: string): Promise<number> {
  const { fqn } = session.newName(options.name ?? path.basename(file, '.pol'), 'policydoc')
  const body: PolicyText = {
    text: await readTextFile(session, file, 'give the path of a policy document, such as prod.pol'),
  }
  try {
    const stored = await session.api.put<Policy>(policyPath(fqn), body, { signal: session.signal })
    await session.output.result(stored, () => `Stored ${stored.fqn}, version ${stored.version}.`)
  } catch (error) {
    if (!(error instanceof ApiProblem) || error.code !== 'bad-syntax') throw error
    throw new BadInput('bad-syntax', `${file}: ${error.message}`, { cause: error })
  }
  return EXIT.success
}

function addList(group: Command, commandLine: CommandLine): void {
  group
    .command('list')
    .description('List the policy documents of the current namespace and its child namespaces.')
    .addHelpText('after', examples('policy list', 'policy list --namespace /prod'))
    .action(
      commandLine.run(async ({ api, output, namespace, signal }) => {
        const policies = await api.get<Policy[]>('/v1/policies', { query: { namespace }, signal })
        await output.result(policies, () =>
          table(
            output,
            [{ head: 'FQN', shorten: SHORTEN_NAME }, { head: 'VERSION' }, { head: 'CHANGED' }],
            policies.map(({ fqn, version, updated_at }) => [fqn, String(version), updated_at]),
            `No policy documents in ${namespace}: every package may resolve.`,
          ),
        )
        return EXIT.success
      }),
    )
}

function addShow(group: Command, commandLine: CommandLine): void {
  group
    .command('show <name>')
    .description('Show a policy document and its versions, or the text of one version.')
    .option('--version-number <n>', 'show only the text of this version')
    .addHelpText('after', examples('policy show prod', 'policy show prod --version-number 1 > prod.pol'))
    .action(
      commandLine.run(async (session, options: { readonly versionNumber?: string }, name: string) => {
        const { api, output, signal } = session
        const document = await lookUp<Policy>(session, name, 'policydoc')
        const versions = await api.get<PolicyVersion[]>(`${policyPath(document.uuid)}/versions`, { signal })
        const { versionNumber } = options
        if (versionNumber === undefined) {
          const dates = versions.map(({ version, created_at }) => ({ version, created_at }))
          await output.result({ ...document, versions: dates }, () => describePolicy(document, versions))
          return EXIT.success
        }
        const one = versions.find(({ version }) => String(version) === versionNumber)
        if (!one)
          throw new BadInput(
            'no-such-version',
            `${document.fqn} has no version ${quote(versionNumber)}: it has versions 1 to ${document.version}.`,
          )
        await output.result(one, () => one.text.replace(/\n$/, ''))
        return EXIT.success
      }),
    )
}

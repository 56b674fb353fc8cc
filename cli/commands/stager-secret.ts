import type { Command } from 'commander'
import type { Stager } from '../../daemon/documents/stager.js'
import type { StagerSecret } from '../../daemon/documents/secret.js'
import { stagerPath } from '../api/paths.js'
import { table } from '../display/table.js'
import { parseSecretSource } from '../options/secret-options.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { EXIT } from '../session/exit-codes.js'
import { lookUp } from '../session/look-up.js'
import { readSecret } from '../session/read-secrets.js'
import type { Session } from '../session/session.js'

export function addStagerSecretCommands(stager: Command, commandLine: CommandLine): void {
  const group = stager
    .command('secret')
    .description(
      'Secrets that a stager has itself, such as a token for a package registry: all its launches find them in ' +
        '$STAGER_SECRETS. Nobody else gets their values back.',
    )
    .addHelpText('after', examples('stager secret set nodejs NPM_TOKEN=token.txt', 'stager secret list nodejs'))
  group
    .command('set <stager> <name[=file]>')
    .description(
      'Give a stager a secret, or replace it: from this file, from standard input with =-, or from the environment ' +
        'variable of that name, if there is one, and else from standard input.',
    )
    .addHelpText(
      'after',
      examples('stager secret set nodejs NPM_TOKEN=token.txt', 'stager secret set nodejs NPM_TOKEN < token.txt'),
    )
    .action(
      commandLine.run(async (session, _options, name: string, source: string) => {
        const { api, output, signal } = session
        const wanted = parseSecretSource(source)
        const value = await readSecret(session, wanted)
        const found = await lookUp<Stager>(session, name, 'job')
        const body = { value: value.toString('base64') }
        const set = await api.put<StagerSecret>(secretPath(found, wanted.name), body, { signal })
        await output.result(set, () => `${found.fqn} has the secret ${set.name}.`)
        return EXIT.success
      }),
    )
  group
    .command('list <stager>')
    .description('List the names of the secrets that a stager has itself.')
    .addHelpText('after', examples('stager secret list nodejs'))
    .action(
      commandLine.run(async (session, _options, name: string) => {
        const { api, output, signal } = session
        const found = await lookUp<Stager>(session, name, 'job')
        const secrets = await api.get<StagerSecret[]>(secretPath(found), { signal })
        await output.result(secrets, () =>
          table(
            output,
            [{ head: 'NAME' }, { head: 'SET' }],
            secrets.map((one) => [one.name, one.updated_at.slice(0, 16).replace('T', ' ')]),
            `${found.fqn} has no secrets itself.`,
          ),
        )
        return EXIT.success
      }),
    )
  group
    .command('remove <stager> <name>')
    .description('Remove a secret of a stager. A launch that has it keeps it until its end.')
    .addHelpText('after', examples('stager secret remove nodejs NPM_TOKEN'))
    .action(commandLine.run(remove))
}

async function remove(session: Session, _options: unknown, name: string, secret: string): Promise<number> {
  const { api, output, signal } = session
  const found = await lookUp<Stager>(session, name, 'job')
  await api.delete(secretPath(found, secret), { signal })
  await output.result({ removed: secret }, () => `Removed the secret ${secret} of ${found.fqn}.`)
  return EXIT.success
}

function secretPath({ uuid }: Stager, name?: string): string {
  return `${stagerPath(uuid)}/secrets${name === undefined ? '' : `/${encodeURIComponent(name)}`}`
}

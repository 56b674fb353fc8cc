import { Option, type Command } from 'commander'
import type { MadeToken, Token, TokenDraft } from '../../daemon/documents/token.js'
import { SHORTEN_NAME } from '../display/shorten.js'
import { table } from '../display/table.js'
import { collectTexts } from '../options/collect-texts.js'
import { parseDuration } from '../options/parse-duration.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { EXIT } from '../session/exit-codes.js'
import type { Session } from '../session/session.js'

interface CreateOptions {
  readonly scope?: readonly string[]
  readonly write?: boolean
  readonly administrator?: boolean
  readonly expiresIn?: number
}

export function addTokenCommands(program: Command, commandLine: CommandLine): void {
  const group = program
    .command('token')
    .description('Manage the tokens that stagerd asks for at its TCP address. Only administrators may.')
    .addHelpText('after', examples('token create ci --scope /acme --write', 'token list', 'token revoke ci'))
  group
    .command('create <name>')
    .description(
      'Make a token and print it, once: stagerd keeps only its hash. It may read, unless another option is given.',
    )
    .option(
      '--scope <namespace>',
      'what it is for: this namespace and all below it; repeatable (default: the current namespace)',
      collectTexts,
    )
    .option('--write', 'it may change what is in these namespaces, too')
    .addOption(
      new Option('--administrator', 'it may do everything, also what concerns the node as a whole').conflicts([
        'scope',
        'write',
      ]),
    )
    .option('--expires-in <time>', 'when it expires (default: 90d; at most 366d)', parseDuration)
    .addHelpText(
      'after',
      examples(
        'token create ci --scope /acme --write --expires-in 30d',
        'token create ops --administrator > ~/.stagerd-token',
      ),
    )
    .action(commandLine.run(create))
  group
    .command('list')
    .description('List the tokens, also those that have expired. Their secrets are not kept.')
    .addHelpText('after', examples('token list'))
    .action(commandLine.run(list))
  group
    .command('revoke <name>')
    .description('Revoke a token: no request is accepted with it any more.')
    .addHelpText('after', examples('token revoke ci'))
    .action(
      commandLine.run(async ({ api, output, signal }, _options, name: string) => {
        const revoked = await api.delete<Token>(`/v1/tokens/${encodeURIComponent(name)}`, { signal })
        await output.result(revoked, () => `Revoked the token ${revoked.name}.`)
        return EXIT.success
      }),
    )
}

async function create(session: Session, options: CreateOptions, name: string): Promise<number> {
  const { api, output, signal, namespace } = session
  const { scope = [namespace], write = false, administrator = false, expiresIn } = options
  const draft: TokenDraft = {
    name,
    access: administrator ? 'administrator' : write ? 'write' : 'read',
    ...(administrator ? {} : { namespaces: [...scope] }),
    ...(expiresIn === undefined ? {} : { lifetime_ms: expiresIn }),
  }
  const made = await api.post<MadeToken>('/v1/tokens', draft, { signal })
  await output.result(made, () => made.token)
  if (!output.json)
    await output.note(`${made.name} ${mayDo(made)} until ${made.expires_at}. The token is not shown again.`)
  return EXIT.success
}

async function list({ api, output, signal }: Session): Promise<number> {
  const tokens = await api.get<Token[]>('/v1/tokens', { signal })
  await output.result(tokens, () =>
    table(
      output,
      [{ head: 'NAME', shorten: SHORTEN_NAME }, { head: 'ACCESS' }, { head: 'NAMESPACES' }, { head: 'EXPIRES' }],
      tokens.map(({ name, access, namespaces, expires_at }) => [
        name,
        access,
        access === 'administrator' ? 'all' : namespaces.join(', '),
        new Date(expires_at) > new Date() ? expires_at.slice(0, 16).replace('T', ' ') : 'expired',
      ]),
      'There are no tokens: make one with `stagectl token create`.',
    ),
  )
  return EXIT.success
}

function mayDo({ access, namespaces }: MadeToken): string {
  switch (access) {
    case 'administrator':
      return 'may do everything'
    case 'write':
      return `may read and change ${namespaces.join(', ')}`
    case 'read':
      return `may read ${namespaces.join(', ')}`
  }
}

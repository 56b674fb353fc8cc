import { rm } from 'node:fs/promises'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import type { Command } from 'commander'
import { Conflict } from '../../base/errors.js'
import { assertLocalName } from '../../base/fqn.js'
import { table } from '../display/table.js'
import { UsageError } from '../options/usage-error.js'
import { parseAddresses } from '../session/choose-endpoint.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { contextNamed, LOCAL, readContexts, tokenFileOf, writeContexts, type Context } from '../session/contexts.js'
import { EXIT } from '../session/exit-codes.js'
import { replaceFile } from '../session/replace-file.js'
import type { GlobalOptions, Session } from '../session/session.js'
import { tokenOf } from '../session/token.js'
import { remedyOf } from '../session/user-directory.js'

interface AddOptions extends GlobalOptions {
  readonly tokenFile?: string
  readonly tokenStdin?: boolean
}

export function addContextCommands(program: Command, commandLine: CommandLine): void {
  const group = program
    .command('context')
    .description('Name the nodes that stagectl talks to, with their addresses and tokens.')
    .addHelpText(
      'after',
      examples('context add prod --address https://stagerd.example.org:7300', 'context use prod', 'context list'),
    )
  group
    .command('add <name>')
    .description(
      'Add a context, or replace it. It keeps what is given with --address, --ca and --namespace. The first one becomes ' +
        'the current context.',
    )
    .option('--token-file <file>', 'file with the token; it must have mode 0600')
    .option('--token-stdin', 'read the token from standard input, and keep it in a file with mode 0600')
    .addHelpText(
      'after',
      examples(
        'context add prod --address https://stagerd.example.org:7300 --token-file ~/.stagerd-token',
        'context add prod --address https://stagerd.example.org:7300 --ca ca.pem --token-stdin < token',
      ),
    )
    .action(commandLine.run(add))
  group
    .command('use <name>')
    .description(`Make a context the current one. \`${LOCAL}\` is the control socket of this host.`)
    .addHelpText('after', examples('context use prod', `context use ${LOCAL}`))
    .action(commandLine.run(use))
  group
    .command('list')
    .description('List the contexts.')
    .addHelpText('after', examples('context list', 'context list --json'))
    .action(commandLine.run(list))
  group
    .command('remove <name>')
    .description('Remove a context, and its token if stagectl keeps it. The token stays valid.')
    .addHelpText('after', examples('context remove prod'))
    .action(commandLine.run(remove))
}

async function add({ io, output }: Session, options: AddOptions, name: string): Promise<number> {
  const { address, ca, namespace, tokenFile, tokenStdin = false } = options
  assertLocalName(name)
  if (name === LOCAL) throw new Conflict('name-taken', `The context ${LOCAL} is there always: choose another name.`)
  if (address === undefined) throw new UsageError('The option --address is missing: this command needs it.')
  if (tokenFile !== undefined && tokenStdin)
    throw new UsageError('--token-file and --token-stdin exclude each other: give one of them.')
  const file = tokenStdin ? tokenFileOf(io.env, name) : tokenFile && path.resolve(io.cwd, tokenFile)
  if (tokenStdin) {
    const token = tokenOf(await text(io.stdin), 'Standard input')
    await replaceFile(tokenFileOf(io.env, name), `${token}\n`, { mode: 0o600, remedy: remedyOf('config') })
  }
  const context: Context = {
    address: parseAddresses(address).join(','),
    ...(ca === undefined ? {} : { ca: path.resolve(io.cwd, ca) }),
    ...(file === undefined ? {} : { tokenFile: file }),
    ...(namespace === undefined ? {} : { namespace }),
  }
  const { current = name, byName } = await readContexts(io.env)
  await writeContexts(io.env, { current, byName: new Map([...byName, [name, context]]) })
  await output.result(document(name, context, current), () =>
    current === name ? `Added ${name}, which is the current context.` : `Added ${name}: see \`stagectl context use\`.`,
  )
  return EXIT.success
}

async function use({ io, output }: Session, _options: GlobalOptions, name: string): Promise<number> {
  const contexts = await readContexts(io.env)
  if (name !== LOCAL) contextNamed(contexts, name)
  await writeContexts(io.env, { ...contexts, current: name === LOCAL ? undefined : name })
  for (const variable of ['STAGERD_SOCKET', 'STAGERD_CONTEXT'])
    if ((io.env[variable] ?? '') !== '')
      await output.warning(`${variable} is set, and comes before the current context.`)
  await output.result({ current: name }, () => `The current context is ${name}.`)
  return EXIT.success
}

async function list({ io, output }: Session): Promise<number> {
  const { current = LOCAL, byName } = await readContexts(io.env)
  const documents = [
    { name: LOCAL, current: current === LOCAL, address: undefined, namespace: undefined },
    ...[...byName].map(([name, context]) => document(name, context, current)),
  ]
  await output.result(documents, () =>
    table(
      output,
      [{ head: '' }, { head: 'NAME' }, { head: 'ADDRESS' }, { head: 'NAMESPACE' }],
      documents.map((one) => [
        one.current ? '*' : '',
        one.name,
        one.address ?? 'the control socket of this host',
        one.namespace ?? '',
      ]),
      '',
    ),
  )
  return EXIT.success
}

async function remove({ io, output }: Session, _options: GlobalOptions, name: string): Promise<number> {
  const contexts = await readContexts(io.env)
  contextNamed(contexts, name)
  const current = contexts.current === name ? undefined : contexts.current
  await writeContexts(io.env, { current, byName: new Map([...contexts.byName].filter(([one]) => one !== name)) })
  await rm(tokenFileOf(io.env, name), { force: true })
  await output.result({ removed: name }, () =>
    contexts.current === name ? `Removed ${name}. The current context is ${LOCAL}.` : `Removed ${name}.`,
  )
  return EXIT.success
}

function document(name: string, { address, ca, tokenFile, namespace }: Context, current: string) {
  return { name, current: name === current, address, ca, token_file: tokenFile, namespace }
}

import type { Command } from 'commander'
import type { MadeWebhook, Webhook, WebhookDraft, WebhookTest } from '../../daemon/documents/webhook.js'
import { webhookPath } from '../api/paths.js'
import { SHORTEN_ID, SHORTEN_NAME } from '../display/shorten.js'
import { table } from '../display/table.js'
import { ago } from '../display/time.js'
import { parseChoice } from '../options/parse-choice.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { EXIT } from '../session/exit-codes.js'
import { readTextFile } from '../session/read-text-file.js'
import type { Session } from '../session/session.js'
import { findStagingId } from './staging-id.js'
import { findWebhookId } from './webhook-id.js'

type State = NonNullable<WebhookDraft['on']>[number]

const STATES = { succeeded: true, failed: true, cancelled: true } as const satisfies Record<State, true>

interface AddOptions {
  readonly on?: State[]
  readonly secretFile?: string
}

export function addWebhookCommands(program: Command, commandLine: CommandLine): void {
  const group = program
    .command('webhook')
    .description(
      'Manage webhooks: URLs that stagerd sends a request to when a staging ends. The requests are those of the Standard Webhooks ' +
        'specification, signed with HMAC-SHA256 and repeated until the receiver accepts them.',
    )
    .addHelpText(
      'after',
      examples(
        'webhook add https://ci.example.org/staged',
        'webhook list',
        'webhook test 5f0c6d0e',
        'webhook remove 5f0c6d0e',
      ),
    )
  group
    .command('add <url>')
    .description(
      'Add a webhook, and print the secret that its requests are signed with, once. It is told of packages in the current ' +
        'namespace, or that of --namespace, and below it; / is the whole node. A URL that leads to a network that is not public ' +
        'needs the setting webhook-networks of stagerd.',
    )
    .option(
      '--on <states>',
      `the ends that it is told of: ${Object.keys(STATES).join(',')} (default: all)`,
      parseStates,
    )
    .option('--secret-file <file>', 'file with the secret: whsec_ and 24 to 64 bytes in base64 (default: a new one)')
    .addHelpText(
      'after',
      examples(
        'webhook add https://ci.example.org/staged --namespace /acme > secret',
        'webhook add https://ci.example.org/staged --on failed --secret-file ./secret',
      ),
    )
    .action(commandLine.run(add))
  group
    .command('list')
    .description('List the webhooks, with what came of their last delivery. Their secrets are not shown.')
    .option(
      '--staging <id>',
      'those that `stagectl stage --notify` has named for this staging; one that has been told is deleted (default: those of namespaces)',
    )
    .addHelpText('after', examples('webhook list', 'webhook list --json', 'webhook list --staging 1c9a4e72'))
    .action(commandLine.run(list))
  group
    .command('remove <webhook>')
    .description('Remove a webhook, given by its ID or its URL. Deliveries that wait for it are not made.')
    .addHelpText('after', examples('webhook remove 5f0c6d0e', 'webhook remove https://ci.example.org/staged'))
    .action(
      commandLine.run(async (session, _options, text: string) => {
        const { api, output, signal } = session
        const removed = await api.delete<Webhook>(webhookPath(await findWebhookId(session, text)), { signal })
        await output.result(removed, () => `Removed the webhook ${removed.uuid}.`)
        return EXIT.success
      }),
    )
  group
    .command('test <webhook>')
    .description(
      'Send a request of the type ping now, and say what comes back. It fails unless the receiver accepts it.',
    )
    .addHelpText('after', examples('webhook test 5f0c6d0e'))
    .action(
      commandLine.run(async (session, _options, text: string) => {
        const { api, output, signal } = session
        const path = `${webhookPath(await findWebhookId(session, text))}/test`
        const tested = await api.post<WebhookTest>(path, undefined, { signal })
        await output.result(tested, () => `${tested.message} (${tested.milliseconds} ms)`)
        return tested.delivered ? EXIT.success : EXIT.badInput
      }),
    )
}

function parseStates(text: string): State[] {
  const states = Object.keys(STATES)
  return text.split(',').map((one) => parseChoice(one.trim(), 'an end of a staging', states) as State)
}

async function add(session: Session, { on, secretFile }: AddOptions, url: string): Promise<number> {
  const { api, output, signal, namespace } = session
  const secret =
    secretFile === undefined
      ? undefined
      : (await readTextFile(session, secretFile, 'give the path of a file with the secret')).trim()
  const draft: WebhookDraft = {
    url,
    namespace,
    ...(on ? { on: [...new Set(on)] } : {}),
    ...(secret === undefined ? {} : { secret }),
  }
  const made = await api.post<MadeWebhook>('/v1/webhooks', draft, { signal })
  // Who has given the secret has it.
  await output.result(made, () => (secret === undefined ? made.secret : ''))
  if (!output.json)
    await output.note(
      `Webhook ${made.uuid} is told of stagings in ${namespace} and below it that have ${made.on.join(', ')}.` +
        (secret === undefined ? ' Its secret is not shown again.' : ''),
    )
  return EXIT.success
}

async function list(session: Session, options: { readonly staging?: string }): Promise<number> {
  const { api, output, signal } = session
  const staging = options.staging === undefined ? undefined : await findStagingId(session, options.staging)
  const webhooks = await api.get<Webhook[]>('/v1/webhooks', { ...(staging ? { query: { staging } } : {}), signal })
  await output.result(webhooks, () =>
    table(
      output,
      [
        { head: 'ID', shorten: SHORTEN_ID },
        { head: 'NAMESPACE', shorten: SHORTEN_NAME },
        { head: 'ON' },
        { head: 'WAITING' },
        { head: 'LAST DELIVERY' },
        { head: 'URL' },
      ],
      webhooks.map(({ uuid, namespace, on, waiting, last, url }) => [
        uuid,
        namespace,
        on.length === Object.keys(STATES).length ? 'all' : on.join(', '),
        String(waiting),
        last ? `${ago(last.at)}: ${last.result}. ${last.message}` : '-',
        url,
      ]),
      staging
        ? 'None waits to be told of this staging: `stagectl stage --notify` has named none, or all have been told.'
        : 'There are no webhooks: add one with `stagectl webhook add`.',
    ),
  )
  return EXIT.success
}

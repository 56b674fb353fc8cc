import type { Command } from 'commander'
import type { FqnKind } from '../../base/fqn.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { EXIT } from '../session/exit-codes.js'
import { confirm } from '../session/confirm.js'
import type { Session } from '../session/session.js'

/** What packages, stagers and pipelines have in common for the commands that show and delete them. */
export interface NamedThing<Document> {
  /** `package`: the word for it, and the group of its commands. */
  readonly word: string
  readonly kind: FqnKind
  readonly path: (ref: string) => string
  readonly describe: (document: Document) => string
  /** What goes with one that was deleted. */
  readonly afterDelete?: (session: Session, document: Document) => Promise<void>
}

export function addShowCommand<Document>(
  group: Command,
  commandLine: CommandLine,
  { word, kind, path, describe }: NamedThing<Document>,
): void {
  group
    .command('show <name>')
    .description(`Everything about one ${word}.`)
    .addHelpText('after', examples(`${word} show my-${word}`, `${word} show ${kind}::/acme::my-${word} --json`))
    .action(
      commandLine.run(async (session, _options, name: string) => {
        const document = await session.api.get<Document>(path(session.ref(name, kind)), { signal: session.signal })
        await session.output.result(document, () => describe(document))
        return EXIT.success
      }),
    )
}

export function addDeleteCommand<Document extends { readonly fqn: string; readonly uuid: string }>(
  group: Command,
  commandLine: CommandLine,
  { word, kind, path, afterDelete }: NamedThing<Document>,
): void {
  group
    .command('delete <name>')
    .description(`Delete a ${word}; asks first on a terminal, unless --batch is given.`)
    .addHelpText('after', examples(`${word} delete my-${word}`, `${word} delete my-${word} --batch`))
    .action(
      commandLine.run(async (session, _options, name: string) => {
        const { api, output, signal } = session
        const document = await api.get<Document>(path(session.ref(name, kind)), { signal })
        if (!(await confirm(session, `Delete ${document.fqn}?`))) {
          await output.note('Nothing was deleted.')
          return EXIT.cancelled
        }
        await api.delete(path(document.uuid), { signal })
        await afterDelete?.(session, document)
        await output.result(document, () => `Deleted ${document.fqn}.`)
        return EXIT.success
      }),
    )
}

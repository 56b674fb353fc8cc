import type { Command } from 'commander'
import type { FqnKind } from '../../base/fqn.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { EXIT } from '../session/exit-codes.js'
import { confirm } from '../session/confirm.js'
import { lookUp } from '../session/look-up.js'
import type { Session } from '../session/session.js'

/** Describes packages, stagers, pipelines and policies to the commands `show` and `delete`. */
export interface NamedEntity<Document> {
  /** Its noun, which is also the name of its command group: `package`. */
  readonly noun: string
  readonly kind: FqnKind
  readonly path: (ref: string) => string
  readonly describe: (document: Document) => string
  /** Deletes what belongs to it. */
  readonly afterDelete?: (session: Session, document: Document) => Promise<void>
}

export function addShowCommand<Document>(
  group: Command,
  commandLine: CommandLine,
  { noun, kind, describe }: NamedEntity<Document>,
): void {
  group
    .command('show <name>')
    .description(`Show the details of a ${noun}.`)
    .addHelpText('after', examples(`${noun} show my-${noun}`, `${noun} show ${kind}::/acme::my-${noun} --json`))
    .action(
      commandLine.run(async (session, _options, name: string) => {
        const document = await lookUp<Document>(session, name, kind)
        await session.output.result(document, () => describe(document))
        return EXIT.success
      }),
    )
}

export function addDeleteCommand<Document extends { readonly fqn: string; readonly uuid: string }>(
  group: Command,
  commandLine: CommandLine,
  { noun, kind, path, afterDelete }: NamedEntity<Document>,
): void {
  group
    .command('delete <name>')
    .description(`Delete a ${noun}. Asks for confirmation on a terminal, unless --batch is given.`)
    .addHelpText('after', examples(`${noun} delete my-${noun}`, `${noun} delete my-${noun} --batch`))
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

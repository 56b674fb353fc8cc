import type { EventEmitter } from 'node:events'
import type { Command } from 'commander'
import { bold, entry, heading, paragraphs, subheading, verbatim } from './man-page.js'

/** What the help of a command says, as parts of a page: the same descriptions, options and examples. */
/** @param withSubcommands whether those of the command are described here */
export function partsOf(command: Command, words: readonly string[], withSubcommands = true): readonly string[] {
  const subcommands = withSubcommands ? command.createHelp().visibleCommands(command) : []
  return [
    heading('synopsis'),
    usage(command, words),
    heading('description'),
    paragraphs(command.description()),
    ...options(command, heading('options')),
    ...subcommands
      .filter((one) => one.name() !== 'help')
      .flatMap((one) => subcommandParts(one, [...words, one.name()])),
    ...afterHelp(command).flatMap(({ title, text }) => [heading(title), verbatim(text)]),
  ]
}

function subcommandParts(command: Command, words: readonly string[]): readonly string[] {
  const subcommands = command
    .createHelp()
    .visibleCommands(command)
    .filter((one) => one.name() !== 'help')
  return [
    heading(words.slice(2).join(' ')),
    usage(command, words),
    paragraphs(command.description()),
    ...options(command),
    ...afterHelp(command).flatMap(({ title, text }) => [subheading(title), verbatim(text)]),
    ...subcommands.flatMap((one) => subcommandParts(one, [...words, one.name()])),
  ]
}

function usage(command: Command, words: readonly string[]): string {
  return `.PP\n${bold(words.join(' '))} ${command.usage().replaceAll('-', '\\-')}`
}

function options(command: Command, ...title: readonly string[]): readonly string[] {
  const help = command.createHelp()
  const all = help.visibleOptions(command)
  const entries = all.map((option) => entry(bold(option.flags), help.optionDescription(option)))
  return entries.length === 0 ? [] : [...title, ...entries]
}

/** What `addHelpText` has added: each part begins with a line that ends with a colon, such as "Examples:". */
export function afterHelp(command: Command): readonly { readonly title: string; readonly text: string }[] {
  let text = ''
  // A `Command` emits events, which its type does not say.
  ;(command as unknown as EventEmitter).emit('afterHelp', {
    error: false,
    command,
    write: (more: string) => (text += more),
  })
  return text
    .split(/^(?=[A-Z][^\n]*:$)/m)
    .map((part) => part.replace(/^\n+|\s+$/g, ''))
    .filter((part) => part !== '')
    .map((part) => {
      const [, title = 'Notes', rest = part] = /^([A-Z][^\n]*):\n([^]*)$/.exec(part) ?? []
      return { title, text: rest.replace(/^ {2}/gm, '') }
    })
}

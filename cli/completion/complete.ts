import type { Argument, Command, Option } from 'commander'

/** What the daemon can be asked for the names of. */
export type Named = 'package' | 'stager' | 'pipeline' | 'policy' | 'staging' | 'webhook'

/** What may stand at the end of a command line. */
export type Completion =
  | { readonly kind: 'words'; readonly words: readonly Word[] }
  | { readonly kind: 'names'; readonly of: Named }
  /** The shell knows them. */
  | { readonly kind: 'files' }

export interface Word {
  readonly text: string
  readonly help: string
}

const NOTHING: Completion = { kind: 'words', words: [] }

/**
 * What may stand in place of the last of `words`, which may be empty or incomplete. The words before it are not checked: who
 * completes a command line has not finished it.
 */
export function complete(program: Command, words: readonly string[]): Completion {
  const before = words.slice(0, -1)
  const current = words.at(-1) ?? ''
  let command = program
  let operands = 0
  let valueOf: Option | undefined
  let onlyOperands = false
  for (const word of before) {
    if (valueOf) valueOf = undefined
    else if (onlyOperands) operands += 1
    else if (word === '--') onlyOperands = true
    else if (word.startsWith('-')) valueOf = optionThatTakes(command, word)
    else {
      const sub = operands === 0 ? visibleCommands(command).find((one) => one.name() === word) : undefined
      if (sub) command = sub
      else operands += 1
    }
  }
  if (valueOf) return completeValue(valueOf)
  if (current.startsWith('-') && !onlyOperands) return { kind: 'words', words: optionsOf(command) }
  const subcommands = visibleCommands(command)
  if (subcommands.length > 0 && operands === 0)
    return { kind: 'words', words: subcommands.map((one) => ({ text: one.name(), help: one.description() })) }
  return completeArgument(command, operands)
}

function visibleCommands(command: Command): readonly Command[] {
  return command.createHelp().visibleCommands(command)
}

/** The option whose value follows the word. */
function optionThatTakes(command: Command, word: string): Option | undefined {
  return allOptions(command).find(
    ({ short, long, required, optional }) => (required || optional) && (word === short || word === long),
  )
}

function allOptions(command: Command): readonly Option[] {
  const help = command.createHelp()
  help.showGlobalOptions = true
  return [...help.visibleOptions(command), ...help.visibleGlobalOptions(command)]
}

function optionsOf(command: Command): readonly Word[] {
  return allOptions(command).map(({ long, short, description }) => ({ text: long ?? short ?? '', help: description }))
}

const NAMES: Readonly<Record<string, Named>> = {
  package: 'package',
  stager: 'stager',
  stagers: 'stager',
  pipeline: 'pipeline',
  policy: 'policy',
  staging: 'staging',
  webhook: 'webhook',
  run: 'package',
}

const FILES = ['file', 'files', 'dir', 'directory', 'path', 'script', 'source', 'tarball']

function completeValue(option: Option): Completion {
  const placeholder = /[<[]([a-z-]+)/.exec(option.flags)?.[1] ?? ''
  // `--package <name>`, but not `--name <name>`.
  const named = NAMES[(option.long ?? '').slice(2)]
  if (named) return { kind: 'names', of: named }
  return FILES.includes(placeholder) ? { kind: 'files' } : NOTHING
}

function completeArgument(command: Command, position: number): Completion {
  const last = command.registeredArguments.at(-1)
  const argument = command.registeredArguments[position] ?? (last?.variadic ? last : undefined)
  if (!argument) return NOTHING
  if (argument.argChoices) return { kind: 'words', words: argument.argChoices.map((text) => ({ text, help: '' })) }
  const named = namesFor(command, argument)
  if (named) return { kind: 'names', of: named }
  return FILES.includes(argument.name()) ? { kind: 'files' } : NOTHING
}

/** A `<name>` is one of the group that the command belongs to, unless the command gives a new one. */
function namesFor(command: Command, argument: Argument): Named | undefined {
  const name = argument.name()
  const group = NAMES[command.parent?.name() ?? '']
  if (name === 'id') return 'staging'
  if (name === 'source' && group === 'pipeline') return 'pipeline'
  if (name !== 'name' && name !== 'names') return NAMES[name]
  if (command.name() === 'create') return undefined
  return group ?? NAMES[command.name()]
}

import type { CommanderError } from 'commander'

type Sentence = (found: RegExpExecArray) => string

/** The messages of commander by code: what they say in their middle, and the whole sentence. */
const SENTENCES: Readonly<Record<string, readonly [RegExp, Sentence]>> = {
  'commander.unknownOption': [
    /unknown option '(.*)'(?:\n\(Did you mean (?:one of )?(.*)\?\))?/s,
    ([, option = '', similar]) => `There is no option ${option}: ${similarOr(similar, 'see the options with --help.')}`,
  ],
  'commander.unknownCommand': [
    /unknown command '(.*)'(?:\n\(Did you mean (?:one of )?(.*)\?\))?/s,
    ([, command = '', similar]) =>
      `There is no command ${command}: ${similarOr(similar, 'see the commands with --help.')}`,
  ],
  'commander.missingArgument': [
    /argument '(.*)'/s,
    ([, argument = '']) => `The argument <${argument}> is missing: see the usage with --help.`,
  ],
  'commander.optionMissingArgument': [
    /option '(.*)' argument/s,
    ([, option = '']) => `The option ${option} lacks its value: write the value after it.`,
  ],
  'commander.missingMandatoryOptionValue': [
    /option '(.*)' not/s,
    ([, option = '']) => `The option ${option} is missing: this command needs it.`,
  ],
  'commander.excessArguments': [
    /for '(.*)'\. Expected (\d+) .* got (\d+)/s,
    ([, command = '', expected = '', given = '']) =>
      `${command} takes ${expected} argument(s), but ${given} are given: put values with spaces into quotes.`,
  ],
}

/** What is wrong with a command line, as one sentence that also says what would be right. */
export function usageMessage({ code, message }: CommanderError): string {
  // For a command group without a command, commander has no message: it prints the help.
  if (code === 'commander.help') return 'A command is missing: see --help.'
  const [pattern, sentence] = SENTENCES[code] ?? []
  const found = pattern?.exec(message)
  return found && sentence ? sentence(found) : `${message.replace(/^error: /, '').replace(/\.$/, '')}: see --help.`
}

function similarOr(similar: string | undefined, otherwise: string): string {
  return similar === undefined ? otherwise : `did you mean ${similar}?`
}

import type { Command } from 'commander'

/** The arguments of each call of `program` in a command of a shell; quotes are left out. */
export function callsOf(program: string, command: string): readonly (readonly string[])[] {
  const call = new RegExp(`(?:^|[\\s;|&(/])${program}((?:[ \\t]+(?:"[^"]*"|'[^']*'|[^\\s|&;<>()"']+|\\\\\\n))*)`, 'g')
  return [...command.matchAll(call)].map(([, words = '']) =>
    [...words.matchAll(/"([^"]*)"|'([^']*)'|[^\s\\]+/g)].map(([word, a, b]) => a ?? b ?? word),
  )
}

/** What of a command line the program does not know: a command or an option. Undefined if it knows all. */
export function unknownIn(program: Command, argv: readonly string[]): string | undefined {
  const options = new Set(namesOf(program))
  let command = program
  for (const word of argv) {
    if (word === '--') return undefined
    const child = command.commands.find((one) => one.name() === word || one.aliases().includes(word))
    if (child) {
      command = child
      for (const name of namesOf(child)) options.add(name)
    } else if (/^-./.test(word)) {
      const [name = ''] = word.split('=')
      if (!options.has(name)) return `${command.name()} has no option ${name}`
    } else if (command.commands.length > 0 && !isOfOption(word, argv, options) && !isAnyCommand(word))
      return `${command.name()} has no command ${word}`
  }
  return undefined
}

/** `help`, or what stands for a command: `stagectl COMMAND --help`. */
function isAnyCommand(word: string): boolean {
  return word === 'help' || /^[A-Z…]+$/.test(word)
}

/** The value of an option before the command, as in `--context lab package list`. */
function isOfOption(word: string, argv: readonly string[], options: ReadonlySet<string>): boolean {
  const before = argv[argv.indexOf(word) - 1]
  return before !== undefined && options.has(before)
}

function namesOf(command: Command): readonly string[] {
  const names = command.options.flatMap(({ short, long }) => [short, long]).filter((name) => name !== undefined)
  return [...names, '--help', '-h']
}

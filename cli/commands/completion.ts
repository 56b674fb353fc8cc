import { Argument, type Command } from 'commander'
import { complete, type Completion, type Word } from '../completion/complete.js'
import { namesOf } from '../completion/names.js'
import { completionScript, SHELLS, type Shell } from '../completion/scripts.js'
import { EXIT } from '../session/exit-codes.js'
import { examples, type CommandLine } from '../session/command-line.js'
import { Session, type GlobalOptions } from '../session/session.js'

export function addCompletionCommand(program: Command, commandLine: CommandLine): void {
  program
    .command('completion')
    .description(
      'Print a script that completes commands, options and names in a shell. Packages of stagerd install it.',
    )
    .addArgument(new Argument('<shell>', 'shell to complete in').choices(SHELLS))
    .addHelpText('after', examples('completion bash > ~/.local/share/bash-completion/completions/stagectl'))
    .action(
      commandLine.run(async ({ output }, _options, shell: Shell) => {
        await output.text(completionScript(shell).trimEnd())
        return EXIT.success
      }),
    )
  // What the scripts run. All commands are loaded for it, because `argv` begins with the name of none.
  program
    .command('__complete [words...]', { hidden: true })
    .allowUnknownOption()
    // Not `commandLine.run`, which refuses empty words.
    .action(async (words: string[], _options: unknown, command: Command) => {
      const given = { ...command.optsWithGlobals<GlobalOptions>(), ...globalOptionsIn(words) }
      const session = await Session.open(commandLine.output, given)
      try {
        const found = complete(program, words)
        const lines = await linesOf(session, found)
        if (lines !== '') await commandLine.output.text(lines)
      } finally {
        await session.close()
      }
    })
}

/** One line for each word, with a tab before its help. */
async function linesOf(session: Session, found: Completion): Promise<string> {
  switch (found.kind) {
    case 'files':
      return ':files'
    case 'words':
      return linesOfWords(found.words)
    case 'names':
      // Without a daemon, nothing is completed.
      return linesOfWords(await namesOf(session, found.of).catch(() => []))
  }
}

function linesOfWords(words: readonly Word[]): string {
  return words.map(({ text, help }) => `${text}\t${help.replace(/\s+/g, ' ')}`).join('\n')
}

/** Those that decide which names there are. */
function globalOptionsIn(words: readonly string[]): GlobalOptions {
  const valueOf = (flag: string) => {
    const at = words.indexOf(flag)
    const value = at < 0 || at >= words.length - 2 ? undefined : words[at + 1]
    return value === undefined || value === '' ? {} : { [flag.slice(2)]: value }
  }
  return { ...valueOf('--socket'), ...valueOf('--namespace') }
}

import { CommanderError } from 'commander'
import { messageOf, StagerdError } from '../base/errors.js'
import { CommandLine } from './session/command-line.js'
import { Output } from './display/output.js'
import { EXIT, exitCodeOfError } from './session/exit-codes.js'
import type { Io } from './terminal/io.js'
import { buildProgram } from './program.js'

/**
 * The whole client: understands `argv` (without node and script), does what it says, and returns the exit code.
 * Never rejects, never ends the process.
 */
export async function stagectl(argv: readonly string[], io: Io): Promise<number> {
  const commandLine = new CommandLine(io)
  const output = new Output(io, wantsJson(argv))
  try {
    await buildProgram(commandLine, output).parseAsync([...argv], { from: 'user' })
    return commandLine.exitCode
  } catch (error) {
    return await report(output, error)
  }
}

/** One line for people on stderr; with `--json`, the one document of stdout tells of the error. */
async function report(output: Output, error: unknown): Promise<number> {
  if (error instanceof CommanderError) {
    // Help and version come as errors too; commander has printed whatever there was to say.
    if (error.exitCode === 0) return EXIT.success
    if (output.json) await output.document({ error: { code: 'usage', message: usageMessage(error) } })
    return EXIT.usage
  }
  const code = error instanceof StagerdError ? error.code : 'unexpected'
  await output.error(messageOf(error))
  if (output.json) await output.document({ error: { code, message: messageOf(error) } })
  return exitCodeOfError(error)
}

/** As a sentence: commander puts a word in front for terminals, and has none for a group without a command. */
function usageMessage({ code, message }: CommanderError): string {
  if (code === 'commander.help') return 'A command is missing: see --help for those there are.'
  return message.replace(/^error: /, '')
}

/** Asked of the words themselves, because the error may be that they cannot be understood. */
function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--')
  return argv.slice(0, end < 0 ? argv.length : end).includes('--json')
}

import { CommanderError } from 'commander'
import { messageOf, StagerdError } from '../base/errors.js'
import { CommandLine } from './session/command-line.js'
import { Output } from './display/output.js'
import { EXIT, exitCodeOfError } from './session/exit-codes.js'
import type { Io } from './terminal/io.js'
import { buildProgram } from './program.js'

/**
 * The client: runs the command in `argv` (without the paths of node and script) and returns the exit code. Never
 * rejects, never exits the process.
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

/** Prints the error to stderr, and with `--json` also as the document on stdout. */
async function report(output: Output, error: unknown): Promise<number> {
  if (error instanceof CommanderError) {
    // commander also throws for help and version. It has printed its output already.
    if (error.exitCode === 0) return EXIT.success
    if (output.json) await output.document({ error: { code: 'usage', message: usageMessage(error) } })
    return EXIT.usage
  }
  const code = error instanceof StagerdError ? error.code : 'unexpected'
  await output.error(messageOf(error))
  if (output.json) await output.document({ error: { code, message: messageOf(error) } })
  return exitCodeOfError(error)
}

/** Removes the prefix of commander's messages. For a command group without a command, commander has no message. */
function usageMessage({ code, message }: CommanderError): string {
  if (code === 'commander.help') return 'A command is missing: see --help.'
  return message.replace(/^error: /, '')
}

/** Searches `argv` itself, because parsing it may be what fails. */
function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--')
  return argv.slice(0, end < 0 ? argv.length : end).includes('--json')
}

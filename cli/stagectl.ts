import { CommanderError } from 'commander'
import { messageOf, StagerdError } from '../base/errors.js'
import { fileError } from '../base/file-error.js'
import { CommandLine } from './session/command-line.js'
import { Output } from './display/output.js'
import { OutputLost } from './display/output-lost.js'
import { expandAliases } from './options/aliases.js'
import { EXIT, exitCodeOfError } from './session/exit-codes.js'
import { usageMessage } from './options/usage-message.js'
import type { Io, OwnedIo } from './terminal/io.js'
import { OutputStream } from './terminal/output-stream.js'
import { buildProgram } from './program.js'

/**
 * The client: runs the command in `argv` (without the paths of node and script) and returns the exit code. Never
 * rejects, never exits the process.
 */
export async function stagectl(argv: readonly string[], io: Io): Promise<number> {
  const output = new Output(ownedIo(io), wantsJson(argv))
  const commandLine = new CommandLine(output)
  const code = await run(argv, commandLine, output)
  await output.flush()
  const loss = output.takeLoss()
  if (loss && !loss.closedByReader) await output.warning(loss.message)
  return code
}

/** Standard input is not opened before a command reads it. */
function ownedIo(io: Io): OwnedIo {
  const { env, cwd, onInterrupt, onResize } = io
  return {
    get stdin() {
      return io.stdin
    },
    stdout: new OutputStream(io.stdout),
    stderr: new OutputStream(io.stderr),
    env,
    cwd,
    onInterrupt,
    onResize,
  }
}

async function run(argv: readonly string[], commandLine: CommandLine, output: Output): Promise<number> {
  try {
    await parse(argv, commandLine)
    await output.flush()
    output.assertWritten()
    return commandLine.exitCode
  } catch (error) {
    return await report(output, fileError(error))
  }
}

/** commander throws for help and version, which it has printed. */
async function parse(argv: readonly string[], commandLine: CommandLine): Promise<void> {
  try {
    const program = await buildProgram(commandLine, argv)
    await program.parseAsync(expandAliases(argv), { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError && error.exitCode === 0)) throw error
  }
}

/** Prints the error to stderr, and with `--json` also as the document on stdout. */
async function report(output: Output, error: unknown): Promise<number> {
  output.tolerateLoss()
  if (error instanceof CommanderError) {
    // It has printed the help of a command group already.
    if (error.code !== 'commander.help') await output.error(usageMessage(error))
    if (output.json) await output.document({ error: { code: 'usage', message: usageMessage(error) } })
    return EXIT.usage
  }
  if (error instanceof OutputLost) {
    output.takeLoss()
    // `stagectl … | head`: the reader has what it wants.
    if (error.closedByReader) return EXIT.success
  }
  const code = error instanceof StagerdError ? error.code : 'unexpected'
  await output.error(messageOf(error))
  if (output.json) await output.document({ error: { code, message: messageOf(error) } })
  return exitCodeOfError(error)
}

/** Searches `argv` itself, because parsing it may be what fails. */
function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--')
  return argv.slice(0, end < 0 ? argv.length : end).includes('--json')
}

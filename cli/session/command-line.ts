import type { Command } from 'commander'
import { Session, type GlobalOptions } from './session.js'
import type { Io } from '../terminal/io.js'

/** The implementation of a command. It returns the exit code; undefined means 0. */
type Action<Options, Operands extends unknown[]> = (
  session: Session,
  options: Options & GlobalOptions,
  ...operands: Operands
) => Promise<number | undefined>

/** Adapts commands to commander: opens and closes the session and stores the exit code. */
export class CommandLine {
  exitCode = 0

  constructor(readonly io: Io) {}

  /** For `Command.action`. */
  run<Options, Operands extends unknown[]>(
    action: Action<Options, Operands>,
  ): (...parameters: unknown[]) => Promise<void> {
    return async (...parameters) => {
      // commander passes the operands, then the options, then the command itself.
      const command = parameters.at(-1) as Command
      const operands = parameters.slice(0, -2) as Operands
      const options = command.optsWithGlobals<Options & GlobalOptions>()
      const session = await Session.open(this.io, options)
      try {
        this.exitCode = (await action(session, options, ...operands)) ?? 0
      } finally {
        await session.close()
      }
    }
  }
}

/** Text for `Command.addHelpText('after', …)`. */
export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ stagectl ${line}`).join('\n')}\n`
}

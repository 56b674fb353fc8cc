import type { Command } from 'commander'
import type { Output } from '../display/output.js'
import { UsageError } from '../options/usage-error.js'
import { Session, type GlobalOptions } from './session.js'
import type { OwnedIo } from '../terminal/io.js'

/** The implementation of a command. It returns the exit code; undefined means 0. */
type Action<Options, Operands extends unknown[]> = (
  session: Session,
  options: Options & GlobalOptions,
  ...operands: Operands
) => Promise<number | undefined>

/** Adapts commands to commander: opens and closes the session and stores the exit code. */
export class CommandLine {
  exitCode = 0

  constructor(readonly output: Output) {}

  get io(): OwnedIo {
    return this.output.io
  }

  /** For `Command.action`. */
  run<Options, Operands extends unknown[]>(
    action: Action<Options, Operands>,
  ): (...parameters: unknown[]) => Promise<void> {
    return async (...parameters) => {
      // commander passes the operands, then the options, then the command itself.
      const command = parameters.at(-1) as Command
      const operands = parameters.slice(0, -2) as Operands
      const options = command.optsWithGlobals<Options & GlobalOptions>()
      assertNotEmpty(operands, options)
      const session = await Session.open(this.output, options)
      try {
        this.exitCode = (await action(session, options, ...operands)) ?? 0
      } finally {
        await session.close()
      }
    }
  }
}

/**
 * An empty value comes from a variable of a script that is not set, and would mean the current directory. Throws
 * `UsageError`.
 */
function assertNotEmpty(operands: readonly unknown[], options: object): void {
  if (operands.flat().includes('')) throw new UsageError('An argument is empty: give it a value, or leave it out.')
  const empty = Object.entries(options).find(([, value]) => value === '')?.[0]
  if (empty === undefined) return
  const flag = empty.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
  throw new UsageError(`The value of --${flag} is empty: give it a value, or leave the option out.`)
}

/** Text for `Command.addHelpText('after', …)`. */
export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ stagectl ${line}`).join('\n')}\n`
}

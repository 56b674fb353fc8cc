import { PassThrough } from 'node:stream'
import type { Command } from 'commander'
import { Output } from '../../cli/display/output.js'
import { buildProgram } from '../../cli/program.js'
import { CommandLine } from '../../cli/session/command-line.js'
import { OutputStream } from '../../cli/terminal/output-stream.js'

/** All commands of stagectl, to look at and not to run. */
export function stagectlCommand(): Promise<Command> {
  const stream = () => new OutputStream(Object.assign(new PassThrough(), { isTTY: false, columns: 80 }))
  const stdin = Object.assign(new PassThrough(), { isTTY: false })
  const listen = () => () => undefined
  const io = { stdin, stdout: stream(), stderr: stream(), env: {}, cwd: '/', onInterrupt: listen, onResize: listen }
  return buildProgram(new CommandLine(new Output(io, false)), [])
}

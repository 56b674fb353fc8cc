import { Writable } from 'node:stream'
import process from 'node:process'
import { messageOf } from '../base/errors.js'
import { processIo } from './terminal/process-io.js'
import { stagectl } from './stagectl.js'

export async function main(): Promise<void> {
  // A fault of stagectl itself. The default prints a stack, which is not for users.
  process.on('uncaughtException', (error) => {
    process.exitCode = 1
    process.stderr.write(`stagectl: internal fault: ${messageOf(error)}\n`, () => process.exit())
  })
  // Not `process.exit`, which would discard output that a slow reader has not read.
  process.exitCode = await stagectl(process.argv.slice(2), processIo())
}

/** Runs what nearly every command runs, so that the code cache has it. Prints nothing, and asks no daemon. */
export async function warmUp(): Promise<void> {
  const discard = () => new Writable({ write: (_chunk, _encoding, done) => done() })
  const io = { ...processIo(), stdout: discard(), stderr: discard() }
  await stagectl(['stage', '--help'], io)
  await stagectl(['staging', 'list', '--socket', '/dev/null'], io)
}

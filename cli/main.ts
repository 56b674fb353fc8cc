import process from 'node:process'
import { messageOf } from '../base/errors.js'
import { processIo } from './terminal/process-io.js'
import { stagectl } from './stagectl.js'

export { warmUp } from './warm-up.js'

export async function main(): Promise<void> {
  // A fault of stagectl itself. The default prints a stack, which is not for users.
  process.on('uncaughtException', (error) => {
    process.exitCode = 1
    process.stderr.write(`stagectl: internal fault: ${messageOf(error)}\n`, () => process.exit())
  })
  // `stagectl` resolves when a slow reader has taken all output. At once, because taking down a process in good order
  // takes a tenth of the time of a short command.
  process.exit(await stagectl(process.argv.slice(2), processIo()))
}

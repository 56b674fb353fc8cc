import process from 'node:process'
import { messageOf } from '../base/errors.js'
import { processIo } from './terminal/process-io.js'
import { stagectl } from './stagectl.js'

// A fault of stagectl itself. The default prints a stack, which is not for users.
process.on('uncaughtException', (error) => {
  process.exitCode = 1
  process.stderr.write(`stagectl: internal fault: ${messageOf(error)}\n`, () => process.exit())
})

// Not `process.exit`, which would discard output that a slow reader has not read.
process.exitCode = await stagectl(process.argv.slice(2), processIo())

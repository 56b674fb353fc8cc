import process from 'node:process'
import { processIo } from './terminal/process-io.js'
import { stagectl } from './stagectl.js'

// Not `process.exit`, which would discard output that a slow reader has not read.
process.exitCode = await stagectl(process.argv.slice(2), processIo())

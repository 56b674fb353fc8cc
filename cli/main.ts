import process from 'node:process'
import { processIo } from './terminal/process-io.js'
import { stagectl } from './stagectl.js'

// The exit code is set rather than forced, so that what was written reaches a slow reader.
process.exitCode = await stagectl(process.argv.slice(2), processIo())

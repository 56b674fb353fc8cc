import process from 'node:process'
import { errnoOf } from '../../base/errors.js'
import type { Io } from './io.js'

const TERMINATION_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** The `Io` of this process. */
export function processIo(): Io {
  // A reader such as `stagectl … | head` closes the pipe early, which is not an error.
  process.stdout.on('error', (error) => {
    if (errnoOf(error) === 'EPIPE') process.exit(0)
    throw error
  })
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    cwd: process.cwd(),
    onInterrupt: (listener) => {
      for (const signal of TERMINATION_SIGNALS) process.on(signal, listener)
      return () => {
        for (const signal of TERMINATION_SIGNALS) process.off(signal, listener)
      }
    },
  }
}

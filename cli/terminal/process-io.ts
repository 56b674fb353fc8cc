import process from 'node:process'
import { errnoOf } from '../../base/errors.js'
import type { Io } from './io.js'

const ENDING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** The real thing. */
export function processIo(): Io {
  // A reader that has seen enough (`stagectl … | head`) is no failure of ours.
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
      for (const signal of ENDING_SIGNALS) process.on(signal, listener)
      return () => {
        for (const signal of ENDING_SIGNALS) process.off(signal, listener)
      }
    },
  }
}

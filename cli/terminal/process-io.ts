import process from 'node:process'
import type { InterruptReason, Io } from './io.js'

const REASONS = { SIGINT: 'interrupt', SIGTERM: 'interrupt', SIGHUP: 'hangup' } as const

/** The `Io` of this process. */
export function processIo(): Io {
  return {
    // Opening it takes a millisecond, and few commands read it.
    get stdin() {
      return process.stdin
    },
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    cwd: currentDirectory(),
    onInterrupt: (listener) => {
      const listeners = Object.entries(REASONS).map(
        ([signal, reason]: [string, InterruptReason]) => [signal, () => listener(reason)] as const,
      )
      for (const [signal, own] of listeners) process.on(signal, own)
      return () => {
        for (const [signal, own] of listeners) process.off(signal, own)
      }
    },
    onResize: (listener) => {
      process.stdout.on('resize', listener)
      return () => process.stdout.off('resize', listener)
    },
  }
}

/** Empty when the directory has been deleted: then only what needs it fails, in `path.resolve`. */
function currentDirectory(): string {
  try {
    return process.cwd()
  } catch {
    return ''
  }
}

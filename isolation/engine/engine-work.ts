import type Docker from 'dockerode'
import { Deferred } from '../../base/deferred.js'
import { Unavailable } from '../../base/errors.js'
import { pingEngine } from './connect.js'
import { askEngine, isEngineDown, isStatus } from './engine-errors.js'

export interface WorkLimits {
  /** How often the Engine is asked whether it still answers, in milliseconds. */
  readonly checkEveryMs?: number
  /** How long it may take to answer that. */
  readonly pingMs?: number
  /** An Engine that has not done the work by then counts as down, whatever it answers. */
  readonly deadlineMs?: number
}

/**
 * As `askEngine`, for a request that makes, starts, changes or removes something. How long that takes depends on the host: a
 * start takes a fifth of a second on most, and more than a minute on one that is emulated or short of memory. So a slow
 * Engine is given time for as long as it answers other questions, and one that hangs is noticed as fast as by `askEngine`.
 */
export async function askEngineToWork<T>(
  engine: Docker,
  what: string,
  call: Promise<T>,
  { checkEveryMs = 60_000, pingMs = 15_000, deadlineMs = 15 * 60_000 }: WorkLimits = {},
): Promise<T> {
  const hanging = new Deferred<never>()
  const check = setInterval(() => {
    pingEngine(engine, pingMs).catch((cause: unknown) => {
      if (!isEngineDown(cause)) return
      hanging.reject(
        new Unavailable(
          'engine-down',
          `The Docker Engine did not ${what} within ${checkEveryMs / 1000} s, and does not answer: ${cause.message}`,
          { cause },
        ),
      )
    })
  }, checkEveryMs)
  try {
    return await askEngine(what, Promise.race([call, hanging.promise]), deadlineMs)
  } finally {
    clearInterval(check)
  }
}

/** As `askEngineToWork`, for an undo: it succeeds if the object does not exist. */
export async function askEngineToRemove(engine: Docker, what: string, call: Promise<unknown>): Promise<void> {
  try {
    await askEngineToWork(engine, what, call)
  } catch (error) {
    if (!isStatus(error, 404)) throw error
  }
}

import { setTimeout as delay } from 'node:timers/promises'
import { askEngine, EngineRefusal, understood } from './engine-errors.js'

/** The Engine is asked this many times. The waits in between double, to about two seconds in total. */
const ATTEMPTS = 8
const FIRST_WAIT_MS = 15

/** Not found, conflict, and an internal error. Others are about the request itself, which stays the same. */
const OF_ONE_OBJECT = new Set([404, 409, 500])

/**
 * Asks the Engine for a list, again if it refuses. It examines each object while it lists them, and fails if one of
 * them, whoever owns it, is removed at that moment: with the image store of containerd, a list of images answers
 * "content digest sha256:…: not found".
 *
 * Throws what `askEngine` throws; the last refusal if it never got a list.
 *
 * @param what verb and object: "list its images"
 */
export async function askEngineForList<T>(
  what: string,
  list: () => Promise<readonly T[]>,
  firstWaitMs = FIRST_WAIT_MS,
): Promise<readonly T[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      return understood(what, await askEngine(what, list()), isListOfObjects)
    } catch (error) {
      const isTransient = error instanceof EngineRefusal && OF_ONE_OBJECT.has(error.statusCode)
      if (!isTransient || attempt === ATTEMPTS) throw error
    }
    await delay(firstWaitMs * 2 ** (attempt - 1))
  }
}

function isListOfObjects(answer: unknown): boolean {
  return Array.isArray(answer) && answer.every((one) => one instanceof Object)
}

/** As `askEngineForList`, for a list that only saves work: empty if the Engine refuses it every time. */
export async function askEngineForHints<T>(
  what: string,
  list: () => Promise<readonly T[]>,
  firstWaitMs = FIRST_WAIT_MS,
): Promise<readonly T[]> {
  try {
    return await askEngineForList(what, list, firstWaitMs)
  } catch (error) {
    if (error instanceof EngineRefusal) return []
    throw error
  }
}

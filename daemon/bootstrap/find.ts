import { NotFound } from '../../base/errors.js'

/** What `lookUp` finds; undefined if there is none. */
export async function find<T>(lookUp: Promise<T>): Promise<T | undefined> {
  try {
    return await lookUp
  } catch (error) {
    if (error instanceof NotFound) return undefined
    throw error
  }
}

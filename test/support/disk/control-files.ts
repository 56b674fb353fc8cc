import type { Fault } from './faults.js'

/** The files of a `WatchedDisk` that steer it. */
export const CONTROL = '.control'
export const MARKS = '.marks'
/** The file that is recorded. */
export const IMAGE = 'disk.img'

export interface Command {
  /** Null for none. Resets the counts. */
  readonly fault?: Fault | null
  /** The file for a recording; null ends it. */
  readonly record?: string | null
}

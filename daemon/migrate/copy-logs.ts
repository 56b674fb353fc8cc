import type { LogPlace } from './log-places.js'

export interface LogCopy {
  readonly from: LogPlace
  readonly to: LogPlace
  /** Whether the log of a UUID will not get any more lines; undefined if nothing refers to it. */
  readonly isComplete: (uuid: string) => boolean | undefined
  readonly signal: AbortSignal
}

/**
 * Copies the logs that the other place lacks, or has with another length.
 *
 * @returns how long each log must be there, in bytes
 */
export async function copyLogs({ from, to, isComplete, signal }: LogCopy): Promise<ReadonlyMap<string, number>> {
  const present = await to.list()
  const there = new Map<string, number>()
  for (const uuid of (await from.list()).keys()) {
    signal.throwIfAborted()
    const complete = isComplete(uuid)
    const log = complete === undefined ? undefined : await from.open(uuid)
    if (!log || complete === undefined) continue
    try {
      const length = to.storedLength(log.length, complete)
      if (present.get(uuid) !== length) await to.put(uuid, log, complete)
      there.set(uuid, length)
    } finally {
      await log.file.close()
    }
  }
  return there
}

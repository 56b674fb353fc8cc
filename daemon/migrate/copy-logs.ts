import type { LogPlace } from './log-places.js'

export interface LogCopy {
  readonly from: LogPlace
  readonly to: LogPlace
  /** Whether the log of a UUID will not get any more lines; undefined if nothing refers to it. */
  readonly isComplete: (uuid: string) => boolean | undefined
  readonly signal: AbortSignal
}

/**
 * Copies the logs that the other place lacks, or has with other lines.
 *
 * @returns the digest that each log must have there
 */
export async function copyLogs({ from, to, isComplete, signal }: LogCopy): Promise<ReadonlyMap<string, string>> {
  const present = new Set(await to.list())
  const there = new Map<string, string>()
  for (const uuid of await from.list()) {
    signal.throwIfAborted()
    const complete = isComplete(uuid)
    const log = complete === undefined ? undefined : await from.open(uuid)
    if (!log || complete === undefined) continue
    try {
      const digest = await to.digestOf(log, complete)
      if (!present.has(uuid) || (await to.digest(uuid)) !== digest) await to.put(uuid, log, complete)
      there.set(uuid, digest)
    } finally {
      await log.file.close()
    }
  }
  return there
}

import type { Command } from 'commander'
import { parseDuration } from './parse-duration.js'
import { UsageError } from './usage-error.js'

export interface KeepOptions {
  /** In seconds. */
  readonly keepFailed?: number
}

const DAY_MS = 86_400_000

export function addKeepOption(command: Command): Command {
  return command.option(
    '--keep-failed <duration>',
    'keep the container of a stager that fails for so long, at most a day, for `stagectl staging shell`',
    parseKeep,
  )
}

function parseKeep(text: string): number {
  const duration = parseDuration(text)
  if (duration > DAY_MS)
    throw new UsageError('A container is kept for at most a day: give --keep-failed less, such as 15m.')
  return Math.ceil(duration / 1000)
}

/** The field of a request. */
export function keepFailedOf({ keepFailed }: KeepOptions): { readonly keep_failed_seconds?: number } {
  return keepFailed === undefined ? {} : { keep_failed_seconds: keepFailed }
}

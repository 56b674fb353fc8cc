import type { Output } from './output.js'
import { formatBytes } from './progress.js'
import { elapsed, startClock } from './time.js'

/** Runs one step of a command, then prints its size and duration on one line. */
export async function timed<T extends { readonly length: number }>(
  output: Output,
  verb: string,
  work: () => Promise<T>,
): Promise<T> {
  const took = startClock()
  const result = await work()
  await output.note(`${verb} ${formatBytes(result.length)} in ${elapsed(took())}.`)
  return result
}

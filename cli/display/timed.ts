import type { Output } from './output.js'
import { formatBytes } from './progress.js'
import { elapsed } from './time.js'

/** Runs one step of a command, then prints its size and duration on one line. */
export async function timed<T extends { readonly length: number }>(
  output: Output,
  verb: string,
  work: () => Promise<T>,
): Promise<T> {
  const began = performance.now()
  const result = await work()
  await output.note(`${verb} ${formatBytes(result.length)} in ${elapsed(performance.now() - began)}.`)
  return result
}

import type { Output } from './output.js'
import { formatBytes } from './progress.js'
import { elapsed } from './time.js'

/** Does one step of somebody's wait, and tells in one line how much it was and how long it took. */
export async function timed<T extends { readonly length: number }>(
  output: Output,
  done: string,
  work: () => Promise<T>,
): Promise<T> {
  const began = performance.now()
  const result = await work()
  await output.note(`${done} ${formatBytes(result.length)} in ${elapsed(performance.now() - began)}.`)
  return result
}

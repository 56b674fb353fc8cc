import type { Attached } from './container.js'

/** Writes `chunks` to the standard input of a program as it reads them. Resolves early when the program ends. */
export async function writeInput(attached: Attached, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const chunk of chunks) if (!(await isTaken(attached, chunk))) return
}

/** False when the connection has ended, with the program. */
function isTaken(attached: Attached, chunk: Uint8Array): Promise<boolean> {
  return new Promise((resolve) => attached.write(chunk, (error) => resolve(!error)))
}

/**
 * As `Promise.all`, but waits for every one before it rejects with the first error: an undo that began while its deed
 * still goes on would miss it.
 */
export async function settleAll<T extends readonly unknown[]>(
  promises: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(promises)
  return await Promise.all(promises)
}

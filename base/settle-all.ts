/**
 * Like `Promise.all`, but rejects only when every promise has settled: cleanup that starts while an action is still in
 * progress would miss what that action creates.
 */
export async function settleAll<T extends readonly unknown[]>(
  promises: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(promises)
  return await Promise.all(promises)
}

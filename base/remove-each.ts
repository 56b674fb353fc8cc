/** One that cannot be removed does not keep the others. Then this throws the first failure, after the last removal. */
export async function removeEach<T>(found: readonly T[], remove: (one: T) => Promise<void>): Promise<void> {
  const failed: unknown[] = []
  for (const one of found) await remove(one).catch((error: unknown) => failed.push(error))
  if (failed.length > 0) throw failed[0]
}

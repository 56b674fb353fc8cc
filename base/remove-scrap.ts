import { rm } from 'node:fs/promises'

/**
 * Removes a file or a directory that is of use to nobody, if it is there. Never rejects: a device that fails for a moment is
 * asked once more, and what it still keeps is removed by whoever looks through the directory at the next start.
 */
export async function removeScrap(path: string): Promise<void> {
  const remove = () => rm(path, { recursive: true, force: true })
  await remove().catch(() => remove().catch(() => undefined))
}

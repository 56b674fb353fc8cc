import { mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Until a directory is fsynced, entries that were created, renamed or removed in it may be lost in a power failure. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** `mkdir -p`; the directories that it makes survive a power failure. */
export async function makeDurableDirectory(directory: string): Promise<void> {
  const firstMade = await mkdir(directory, { recursive: true, mode: 0o700 })
  if (firstMade === undefined) return
  for (let made = directory; made.length >= firstMade.length; made = dirname(made)) await syncDirectory(dirname(made))
}

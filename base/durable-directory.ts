import { mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Names made, changed or removed in a directory survive a power cut only once the directory itself was fsynced. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** `mkdir -p`, where every directory that had to be made is there after a power cut too. */
export async function makeDurableDirectory(directory: string): Promise<void> {
  const firstMade = await mkdir(directory, { recursive: true, mode: 0o700 })
  if (firstMade === undefined) return
  for (let made = directory; made.length >= firstMade.length; made = dirname(made)) await syncDirectory(dirname(made))
}

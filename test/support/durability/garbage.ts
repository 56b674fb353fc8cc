import { randomBytes, randomUUID } from 'node:crypto'
import { mkdir, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'

/** Puts blobs that nothing refers to, and logs without a staging, into a state directory, as of long ago. @returns their paths in it */
export async function makeGarbage(stateDir: string): Promise<readonly string[]> {
  const blob = () => {
    const sha256 = randomBytes(32).toString('hex')
    return `blobs/sha256/${sha256.slice(0, 2)}/${sha256}`
  }
  const made = [blob(), blob(), `logs/${randomUUID()}.ndjson`, `logs/${randomUUID()}.ndjson`]
  for (const file of made.map((name) => path.join(stateDir, name))) {
    await mkdir(path.dirname(file), { recursive: true })
    await writeFile(file, 'old')
    await utimes(file, new Date(0), new Date(0))
  }
  return made
}

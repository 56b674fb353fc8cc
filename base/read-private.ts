import { open } from 'node:fs/promises'
import { BadInput, messageOf } from './errors.js'

/** Permissions of others than the owner. */
const OTHERS = 0o077

/**
 * The content of a file with a secret of the daemon: one that only its owner may use. Messages repeat nothing of it.
 *
 * Throws `BadInput` with that code; its cause is the error of the system if the file cannot be read.
 *
 * @param what is in it, as in "password of PostgreSQL"
 */
export async function readPrivate(file: string, what: string, code = 'bad-settings'): Promise<Buffer> {
  let content: Buffer
  let mode: number
  try {
    const handle = await open(file, 'r')
    try {
      // Of what is read, whatever the name leads to meanwhile.
      mode = (await handle.stat()).mode
      content = await handle.readFile()
    } finally {
      await handle.close()
    }
  } catch (error) {
    throw new BadInput(code, `The ${what} cannot be read: ${messageOf(error)}.`, { cause: error })
  }
  if ((mode & OTHERS) !== 0)
    throw new BadInput(code, `${file} may be read by others than its owner: give it mode 0600.`)
  return content
}

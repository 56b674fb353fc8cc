import { randomBytes } from 'node:crypto'
import { open } from 'node:fs/promises'
import { writeDurably } from '../../base/durable-directory.js'
import { BadInput, errnoOf, messageOf } from '../../base/errors.js'
import { KEY_BYTES } from './seal.js'

/** Those of others than the owner. */
const OTHERS = 0o077

/**
 * The key that secrets are sealed with.
 *
 * @param given a file that the administrator provides, such as a credential of systemd; it must be there
 * @param own the file that stagerd makes otherwise
 * Throws `BadInput` (`bad-secrets-key`).
 */
export async function readSecretsKey(given: string | undefined, own: string): Promise<Buffer> {
  if (given !== undefined) return await read(given)
  try {
    return await read(own)
  } catch (error) {
    if (!(error instanceof BadInput && errnoOf(error.cause) === 'ENOENT')) throw error
  }
  // What a cut key has sealed could not be opened again.
  await writeDurably(own, randomBytes(KEY_BYTES), 0o600)
  return await read(own)
}

async function read(file: string): Promise<Buffer> {
  let content: Buffer
  let mode: number
  try {
    const handle = await open(file, 'r')
    try {
      mode = (await handle.stat()).mode
      content = await handle.readFile()
    } finally {
      await handle.close()
    }
  } catch (error) {
    throw new BadInput('bad-secrets-key', `The key ${file} cannot be read: ${messageOf(error)}.`, { cause: error })
  }
  if ((mode & OTHERS) !== 0)
    throw new BadInput('bad-secrets-key', `The key ${file} may be read by others than its owner: give it mode 0600.`)
  if (content.length !== KEY_BYTES)
    throw new BadInput(
      'bad-secrets-key',
      `The key ${file} has ${content.length} bytes: it must have ${KEY_BYTES}, such as of \`head -c ${KEY_BYTES} /dev/urandom\`.`,
    )
  return content
}

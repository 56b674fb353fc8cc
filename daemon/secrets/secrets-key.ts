import { randomBytes } from 'node:crypto'
import { writeDurably } from '../../base/durable-directory.js'
import { BadInput, errnoOf } from '../../base/errors.js'
import { readPrivate } from '../../base/read-private.js'
import { KEY_BYTES } from './seal.js'

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
  const content = await readPrivate(file, `key ${file}`, 'bad-secrets-key')
  if (content.length !== KEY_BYTES)
    throw new BadInput(
      'bad-secrets-key',
      `The key ${file} has ${content.length} bytes: it must have ${KEY_BYTES}, such as of \`head -c ${KEY_BYTES} /dev/urandom\`.`,
    )
  return content
}

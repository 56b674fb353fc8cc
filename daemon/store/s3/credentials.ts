import { open } from 'node:fs/promises'
import { BadInput, messageOf } from '../../../base/errors.js'
import type { BucketOptions } from './bucket.js'

/** Those of others than the owner. */
const OTHERS = 0o077

/**
 * The keys of a file: the access key in the first line, the secret key in the second. Undefined without a file.
 *
 * Messages repeat nothing of the content. Throws `BadInput` (`bad-settings`).
 */
export async function readCredentials(file: string | undefined): Promise<BucketOptions['credentials']> {
  if (file === undefined) return undefined
  let text: string
  let mode: number
  try {
    const handle = await open(file, 'r')
    try {
      mode = (await handle.stat()).mode
      text = await handle.readFile('utf8')
    } finally {
      await handle.close()
    }
  } catch (error) {
    const message = `The credentials of the object store cannot be read: ${messageOf(error)}.`
    throw new BadInput('bad-settings', message, { cause: error })
  }
  if ((mode & OTHERS) !== 0)
    throw new BadInput('bad-settings', `${file} may be read by others than its owner: give it mode 0600.`)
  const [accessKeyId = '', secretAccessKey = '', ...more] = text.trim().split(/\r?\n/)
  if (accessKeyId === '' || secretAccessKey === '' || more.length > 0)
    throw new BadInput('bad-settings', `${file} must have two lines: the access key, and the secret key.`)
  return { accessKeyId, secretAccessKey }
}

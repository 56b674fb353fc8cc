import { BadInput } from '../../../base/errors.js'
import { readPrivate } from '../../../base/read-private.js'
import type { BucketOptions } from './bucket.js'

/**
 * The keys of a file: the access key in the first line, the secret key in the second. Undefined without a file.
 *
 * Messages repeat nothing of the content. Throws `BadInput` (`bad-settings`).
 */
export async function readCredentials(file: string | undefined): Promise<BucketOptions['credentials']> {
  if (file === undefined) return undefined
  const text = (await readPrivate(file, 'credentials of the object store')).toString()
  const [accessKeyId = '', secretAccessKey = '', ...more] = text.trim().split(/\r?\n/)
  if (accessKeyId === '' || secretAccessKey === '' || more.length > 0)
    throw new BadInput('bad-settings', `${file} must have two lines: the access key, and the secret key.`)
  return { accessKeyId, secretAccessKey }
}

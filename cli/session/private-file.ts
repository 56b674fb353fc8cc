import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { BadInput } from '../../base/errors.js'
import { fileError } from '../../base/file-error.js'
import { quote } from '../../base/fqn.js'

/**
 * The text of a file that nobody else may read or change, because it has a token, or says where one is sent. At once: see
 * `Session.open`.
 *
 * Throws `BadInput` (`file-not-private`), `NotFound` or `BadInput` for a file that cannot be read.
 */
export function readPrivateFile(file: string, remedy: string): string {
  let descriptor: number | undefined
  try {
    descriptor = openSync(file, 'r')
    const { mode } = fstatSync(descriptor)
    if ((mode & 0o077) !== 0)
      throw new BadInput(
        'file-not-private',
        `${quote(file)} has mode ${(mode & 0o777).toString(8)}, so that others can use it: set it with chmod 600.`,
      )
    return readFileSync(descriptor, 'utf8')
  } catch (error) {
    throw fileError(error, { file, remedy })
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}

import { BadInput, errnoOf, StagerdError, Unavailable } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { shownPath } from '../../base/byte-path.js'

/**
 * The error for an entry of a source that cannot be read.
 *
 * @param path bytes as latin1; empty for the source itself
 */
export function entryError(path: string, error: unknown): unknown {
  if (error instanceof StagerdError) return error
  const errno = errnoOf(error)
  const what = path === '' ? 'The source directory' : quote(shownPath(path))
  const unpackable = (why: string) => new BadInput('unpackable', `${what} ${why}.`, { cause: error })
  switch (errno) {
    case undefined:
      return error
    case 'EACCES':
    case 'EPERM':
      return unpackable('cannot be read: give yourself permission to read it, or exclude it in .apcignore')
    case 'ENAMETOOLONG':
      return unpackable('has too long a path: shorten it, or exclude it in .apcignore')
    case 'ENOENT':
    case 'ENOTDIR':
    case 'EISDIR':
    case 'ELOOP':
      return unpackable('was replaced while it was packed: pack again when nothing changes the directory')
    case 'EMFILE':
    case 'ENFILE':
      return new Unavailable('too-many-files', 'Too many files are open on this host: close some programs.', {
        cause: error,
      })
    default:
      return new Unavailable(
        'source-unreadable',
        `${what} cannot be read, because its filesystem reports an error: check the disk, or exclude it in .apcignore.`,
        { cause: error },
      )
  }
}

/** The error for a temporary file that cannot be created or written. */
export function temporaryFileError(directory: string, error: unknown): unknown {
  if (error instanceof StagerdError) return error
  const useAnother = 'set TMPDIR to a directory in which you can create files'
  switch (errnoOf(error)) {
    case undefined:
      return error
    case 'ENOSPC':
    case 'EDQUOT':
    case 'EFBIG':
      return new Unavailable(
        'disk-full',
        `There is not enough disk space in ${quote(directory)} for a temporary file: free some, or set TMPDIR to a directory with more space.`,
        { cause: error },
      )
    case 'EIO':
      return new Unavailable(
        'disk-error',
        `A temporary file in ${quote(directory)} cannot be written, because the disk reports an error: ${useAnother}.`,
        { cause: error },
      )
    default:
      return new BadInput(
        'no-temporary-directory',
        `No temporary file can be created in ${quote(directory)}: ${useAnother}.`,
        { cause: error },
      )
  }
}

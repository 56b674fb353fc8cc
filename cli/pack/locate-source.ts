import { statSync, type Stats } from 'node:fs'
import { BadInput, errnoOf, NotFound } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'

/**
 * Tells whether a source is a directory or a file.
 *
 * Throws `NotFound` (`no-such-source`), `BadInput` (`source-is-url`, `not-a-source`, `source-unreadable`, `link-loop`).
 *
 * @param file its absolute path
 * @param given the source as the user wrote it, for messages
 */
export function locateSource(file: string, given = file): 'directory' | 'file' {
  const stats = statOf(file, given)
  if (file === '/')
    throw new BadInput('not-a-source', `${quote(given)} is the root of this host: give the directory with the source.`)
  if (stats.isDirectory()) return 'directory'
  if (stats.isFile()) return 'file'
  throw new BadInput(
    'not-a-source',
    `${quote(given)} is neither a directory nor a file: give a source directory, a tarball or a zip.`,
  )
}

function statOf(file: string, given: string): Stats {
  try {
    return statSync(file)
  } catch (error) {
    const cause = { cause: error }
    const url = kindOfUrl(given)
    if (url !== undefined)
      throw new BadInput(
        'source-is-url',
        url === 'git'
          ? `${quote(given)} is the URL of a Git repository: clone it first with \`git clone\`, and give the directory.`
          : `${quote(given)} is a URL: download it first, and give the file or directory.`,
        cause,
      )
    switch (errnoOf(error)) {
      case 'ENOENT':
      case 'ENOTDIR':
        throw new NotFound(
          'no-such-source',
          `There is no ${quote(given)}: give a source directory, a tarball or a zip.`,
          cause,
        )
      case 'EACCES':
      case 'EPERM':
        throw new BadInput(
          'source-unreadable',
          `${quote(given)} cannot be reached: give yourself permission to the directories above it.`,
          cause,
        )
      case 'ELOOP':
        throw new BadInput(
          'link-loop',
          `${quote(given)} is a symbolic link that leads in a circle: give the directory itself.`,
          cause,
        )
      case 'ENAMETOOLONG':
        throw new BadInput('source-unreadable', `${quote(given)} is too long for a path: give a shorter one.`, cause)
      default:
        throw error
    }
  }
}

function kindOfUrl(text: string): 'git' | 'other' | undefined {
  if (/^(?:git|ssh|git\+[a-z]+):\/\//i.test(text) || /^[\w.-]+@[\w.-]+:/.test(text)) return 'git'
  if (!/^(?:https?|ftp|s3|gs|file):\/\//i.test(text)) return undefined
  return /\.git\/?(?:[#?].*)?$/i.test(text) ||
    /^https?:\/\/(?:github|gitlab|bitbucket)\.[a-z]+\/[^/]+\/[^/]+\/?$/i.test(text)
    ? 'git'
    : 'other'
}

import path from 'node:path'
import { assertLocalName } from '../../base/fqn.js'
import { isUrl, withBuildpack } from '../build/buildpack-source.js'
import type { Session } from '../session/session.js'
import { putBuildpack } from '../transfer/put-buildpack.js'
import { nameOfSource } from './name-of-source.js'

/**
 * The buildpack that stages a package: a name, or a URL. A directory, a tarball, and what only this host can fetch, become a package; the stager fetches
 * a public URL itself, each time.
 *
 * Throws `BadInput` (`bad-name`), and what `withBuildpack` throws.
 */
export async function chooseBuildpack(session: Session, given: string): Promise<string> {
  if (/^(?:https?|git):\/\/[^/@]*(?:\/|$)/i.test(given)) return given
  if (!isUrl(given) && !given.includes('/') && given !== '.' && given !== '..') {
    assertLocalName(given)
    return given
  }
  const file = isUrl(given) ? given.replace(/#.*$/, '').replace(/\.git$/, '') : path.resolve(session.io.cwd, given)
  const { name } = nameOfSource(file, false)
  await withBuildpack(session, given, (directory) => putBuildpack(session, name, directory, undefined))
  return name
}

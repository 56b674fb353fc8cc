import { Refused } from '../../base/errors.js'
import type { BuildScript } from '../../daemon/documents/build-script.js'
import { Progress } from '../display/progress.js'
import type { Session } from '../session/session.js'
import { openSource } from './open-source.js'
import { SourceCache } from './source-cache.js'

export interface FetchedSource {
  /** Its name in the working directory. */
  readonly file: string
  /** Path in the source cache. */
  readonly path: string
}

/**
 * Fetches all sources of a script into the cache, except those that it already holds. Throws `Refused` (`no-digest`,
 * `wrong-digest`), and what `openSource` throws.
 *
 * @param insecure accept sources without a digest
 */
export async function fetchSources(
  session: Session,
  { sources }: BuildScript,
  insecure: boolean,
): Promise<FetchedSource[]> {
  const { output, signal } = session
  const cache = new SourceCache(session.io.env)
  // Check all digests before the first download: one missing digest fails the build.
  for (const { url, sha256, sha1 } of sources)
    if (sha256 === undefined && sha1 === undefined && !insecure)
      throw new Refused(
        'no-digest',
        `The script gives no digest for ${url}: add its sha256, or accept unverified sources with --insecure-sources.`,
      )
  const fetched: FetchedSource[] = []
  for (const { url, file, ...expected } of sources) {
    if (expected.sha256 === undefined)
      await output.warning(
        expected.sha1 === undefined
          ? `${url} is not verified: the script gives no digest for it.`
          : `${url} is verified by SHA-1 only, which can be forged: add its sha256.`,
      )
    const cached = await cache.find(expected, signal)
    if (cached !== undefined) {
      await output.note(`${file} is in the cache.`)
      fetched.push({ file, path: cached })
      continue
    }
    await output.note(`Fetching ${url}`)
    const source = await openSource(url, signal)
    const progress = new Progress(output, 'Fetching', source.length)
    try {
      fetched.push({ file, path: await cache.add(source, url, expected, (count) => progress.add(count), signal) })
    } finally {
      source.body.destroy()
      progress.stop()
    }
  }
  return fetched
}

import { Refused } from '../../base/errors.js'
import type { BuildScript } from '../../daemon/documents/build-script.js'
import { Progress } from '../display/progress.js'
import type { Session } from '../session/session.js'
import { openSource } from './open-source.js'
import { SourceCache } from './source-cache.js'

export interface FetchedSource {
  /** Its name in the working directory. */
  readonly file: string
  /** Where it is now. */
  readonly path: string
}

/**
 * Every source of a script, from the cache where it has them. Throws `Refused` (`no-digest`, `wrong-digest`), and what
 * `openSource` throws.
 *
 * @param insecure take sources that the script gives no digest of
 */
export async function fetchSources(
  session: Session,
  { sources }: BuildScript,
  insecure: boolean,
): Promise<FetchedSource[]> {
  const { output, signal } = session
  const cache = new SourceCache(session.io.env)
  // Before anything is fetched: one source without a digest is enough.
  for (const { url, sha256, sha1 } of sources)
    if (sha256 === undefined && sha1 === undefined && !insecure)
      throw new Refused(
        'no-digest',
        `The script does not say what ${url} must be: give it a sha256, or take whatever comes with --insecure-sources.`,
      )
  const fetched: FetchedSource[] = []
  for (const { url, file, ...expected } of sources) {
    if (expected.sha256 === undefined)
      await output.warning(
        expected.sha1 === undefined
          ? `${url} is taken as it comes: the script gives no digest of it.`
          : `${url} is only checked against a sha1, which can be forged: give its sha256, too.`,
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

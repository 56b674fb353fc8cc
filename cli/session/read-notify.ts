import type { StagingDraft } from '../../daemon/documents/staging.js'
import type { NotifyOptions } from '../options/notify-options.js'
import { readTextFile } from './read-text-file.js'
import type { Session } from './session.js'

/**
 * The field of a request. The daemon has judged it: who is refused has not sent a source for nothing.
 *
 * Throws `BadInput` or `NotFound` for the file, and what the daemon refuses.
 */
export async function readNotify(session: Session, options: NotifyOptions): Promise<Pick<StagingDraft, 'notify'>> {
  const { notify: urls, notifySecret: file } = options
  if (urls === undefined || file === undefined) return {}
  const secret = (await readTextFile(session, file, 'give the path of a file with the secret')).trim()
  const notify = [...new Set(urls)].map((url) => ({ url, secret }))
  await session.api.post('/v1/webhooks/check', { notify }, { signal: session.signal })
  return { notify }
}

import { StagerdError } from '../../base/errors.js'
import { describeSystemError } from '../../base/system-error.js'
import type { OutboundClient } from '../outbound/outbound-client.js'
import { parseRetryAfter } from './retries.js'
import { signedHeaders } from './signature.js'

/** What came of sending something once. `message`: one sentence. */
export type AttemptResult = { readonly status?: number; readonly message: string } & (
  | { readonly kind: 'delivered' }
  /** Another attempt would not change it. */
  | { readonly kind: 'refused' }
  /** Another attempt may succeed. */
  | { readonly kind: 'failed'; readonly retryAfterMs?: number | undefined }
)

export interface Message {
  readonly id: string
  readonly body: string
}

/** What is read of an answer, so that its connection ends well. It is not used. */
const ANSWER_BYTES = 4096

/** Sends a message once. Never rejects. */
export async function attempt(
  client: Pick<OutboundClient, 'request'>,
  { url, secret }: { readonly url: string; readonly secret: string },
  { id, body }: Message,
  {
    timeoutMs,
    stop,
    userAgent,
  }: { readonly timeoutMs: number; readonly stop: AbortSignal; readonly userAgent: string },
): Promise<AttemptResult> {
  const now = new Date()
  const limit = AbortSignal.timeout(timeoutMs)
  const signal = AbortSignal.any([limit, stop])
  try {
    const {
      statusCode,
      headers,
      body: answer,
    } = await client.request(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'user-agent': userAgent,
        ...signedHeaders(secret, { id, body, time: now }),
      },
      body,
      signal,
    })
    // The status is all that counts: a body that does not end changes nothing.
    await answer.dump({ limit: ANSWER_BYTES, signal }).catch(() => undefined)
    return judge(statusCode, headers['retry-after'], now)
  } catch (error) {
    if (limit.aborted) return { kind: 'failed', message: `No answer came within ${timeoutMs / 1000} seconds.` }
    if (error instanceof StagerdError) return { kind: 'refused', message: error.message }
    return { kind: 'failed', message: `The request failed: ${describeSystemError(error)}.` }
  }
}

function judge(status: number, retryAfter: string | string[] | undefined, now: Date): AttemptResult {
  const message = `The receiver answered ${status}`
  if (status >= 200 && status < 300) return { kind: 'delivered', status, message: `${message}.` }
  if (status === 408 || status === 429 || status >= 500) {
    const header = Array.isArray(retryAfter) ? retryAfter[0] : retryAfter
    return { kind: 'failed', status, message: `${message}.`, retryAfterMs: parseRetryAfter(header, now) }
  }
  if (status < 400)
    return {
      kind: 'refused',
      status,
      message: `${message}, and redirects are not followed: use the URL that it names.`,
    }
  if (status === 410)
    return { kind: 'refused', status, message: `${message}, so nobody is there any more: remove the webhook.` }
  return { kind: 'refused', status, message: `${message}, so it does not want it.` }
}

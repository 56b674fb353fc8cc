import { randomBytes } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { BadInput, Refused, StagerdError, Unavailable } from '../../base/errors.js'
import { isSystemError } from '../../base/system-error.js'
import type { OutboundClient, OutboundResponse } from '../outbound/outbound-client.js'

type Client = Pick<OutboundClient, 'request'>

const REDIRECTS = 5
const REDIRECTING = new Set([301, 302, 303, 307, 308])
/** What is read of the answer to an upload, so that its connection ends well. It is not used. */
const ANSWER_BYTES = 4096
const CONNECTS = 3
const BETWEEN_CONNECTS_MS = 1000

/**
 * The body of what `uri` names. Each redirect is judged as the first address is, and credentials go to the host that they
 * were meant for.
 *
 * Messages do not repeat URIs. Throws `Unavailable` (`download-failed`), `Refused` and `BadInput` of the outbound client.
 */
export async function download(client: Client, uri: string, signal: AbortSignal): Promise<Readable> {
  let { url, authorization } = withoutCredentials(uri)
  for (let redirects = 0; ; redirects++) {
    const response = await connected(
      () => client.request(url.href, { method: 'GET', headers: { ...agent, ...authorization }, signal }),
      signal,
    )
    if (response.statusCode === 200) return response.body
    await response.body.dump({ limit: ANSWER_BYTES, signal }).catch(() => undefined)
    const { location } = response.headers
    if (!REDIRECTING.has(response.statusCode) || typeof location !== 'string')
      throw new Unavailable('download-failed', `The server of the application answered ${response.statusCode}.`)
    if (redirects === REDIRECTS || !URL.canParse(location, url.href))
      throw new Unavailable('download-failed', `The server of the application redirects more than ${REDIRECTS} times.`)
    const next = withoutCredentials(new URL(location, url).href)
    authorization = next.authorization ?? (next.url.origin === url.origin ? authorization : undefined)
    url = next.url
  }
}

export interface Upload {
  readonly file: FileHandle
  readonly length: number
  readonly name: string
}

/**
 * Posts a file as the field `upload[droplet]`. Only a connection that was not made is tried again: whoever has received a
 * request may have taken what it sends.
 *
 * Throws `Unavailable` (`upload-failed`), `Refused` and `BadInput` of the outbound client.
 */
export async function upload(client: Client, uri: string, what: Upload, signal: AbortSignal): Promise<void> {
  const { url, authorization } = withoutCredentials(uri)
  const boundary = `stagerd-${randomBytes(16).toString('hex')}`
  const head = Buffer.from(
    `--${boundary}\r\nContent-Disposition: form-data; name="upload[droplet]"; filename="${what.name}"\r\n` +
      'Content-Type: application/octet-stream\r\n\r\n',
  )
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`)
  const send = (): Promise<OutboundResponse> =>
    client.request(url.href, {
      method: 'POST',
      headers: {
        ...agent,
        ...authorization,
        'content-type': `multipart/form-data; boundary=${boundary}`,
        'content-length': String(head.length + what.length + tail.length),
      },
      body: Readable.from(formOf(head, what, tail), { objectMode: false }),
      signal,
    })
  const { statusCode, body } = await connected(send, signal)
  await body.dump({ limit: ANSWER_BYTES, signal }).catch(() => undefined)
  if (statusCode < 200 || statusCode > 299)
    throw new Unavailable('upload-failed', `The server of the droplet answered ${statusCode}.`)
}

const agent = { 'user-agent': 'stagerd', accept: '*/*' }

async function* formOf(head: Buffer, { file, length }: Upload, tail: Buffer): AsyncGenerator<Buffer> {
  yield head
  const piece = Buffer.allocUnsafe(256 * 1024)
  for (let at = 0; at < length;) {
    const { bytesRead } = await file.read(piece, 0, Math.min(piece.length, length - at), at)
    if (bytesRead === 0) throw new Error('the droplet is shorter than it was')
    at += bytesRead
    yield Buffer.from(piece.subarray(0, bytesRead))
  }
  yield tail
}

/** Repeats what has not reached anybody. Errors are those of stagerd, in words without the URI. */
async function connected(send: () => Promise<OutboundResponse>, signal: AbortSignal): Promise<OutboundResponse> {
  for (let tries = 1; ; tries++) {
    try {
      return await send()
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof StagerdError) throw error
      if (!wasNotConnected(error) || tries === CONNECTS) throw new Unavailable('transfer-failed', whyOf(error))
      await delay(BETWEEN_CONNECTS_MS, undefined, { signal })
    }
  }
}

function codeOf(error: unknown): string | undefined {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined
  return typeof code === 'string' ? code : undefined
}

function wasNotConnected(error: unknown): boolean {
  if (codeOf(error) === 'UND_ERR_CONNECT_TIMEOUT') return true
  return isSystemError(error) && (error.syscall === 'connect' || error.syscall.startsWith('getaddrinfo'))
}

/** Not the message of the error, which may name a part of the URI. */
function whyOf(error: unknown): string {
  const code = codeOf(error)
  return `The request failed${code === undefined ? '' : ` (${code})`}.`
}

function withoutCredentials(uri: string): {
  readonly url: URL
  readonly authorization: { readonly authorization: string } | undefined
} {
  if (!URL.canParse(uri))
    throw new BadInput('bad-url', 'The URI is not one that requests can be sent to: send http://HOST/PATH.')
  const url = new URL(uri)
  const { username, password } = url
  url.username = ''
  url.password = ''
  if (username === '' && password === '') return { url, authorization: undefined }
  const pair = Buffer.from(`${decoded(username)}:${decoded(password)}`).toString('base64')
  return { url, authorization: { authorization: `Basic ${pair}` } }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new Refused('bad-credentials', 'The credentials of the URI are not encoded as a URI has them.')
  }
}

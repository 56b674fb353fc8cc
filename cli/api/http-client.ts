import { Agent, request, type ClientRequest, type IncomingHttpHeaders, type RequestOptions } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { isSystemError } from '../../base/system-error.js'
import { HANDSHAKE_TIMEOUT, isProtocolError } from './certificate-error.js'
import type { Endpoint } from './endpoint.js'

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** With its query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** Undefined for none. Chunks are sent as they come. */
  readonly body: string | AsyncIterable<Uint8Array> | undefined
  /** Ends the request, and the body of its response. */
  readonly signal: AbortSignal | undefined
  /** Called when there is a connection to somebody who has proved who it is: before, nothing of the request was sent. */
  readonly onConnected?: () => void
}

export interface HttpResponse {
  readonly statusCode: number
  readonly headers: IncomingHttpHeaders
  /** The caller reads or destroys it. */
  readonly body: Readable
}

/**
 * For a connection to an address, with its TLS, in milliseconds. A host that is off does not refuse connections, for which the
 * kernel would try for two minutes; and of a process that stands still the kernel accepts them.
 */
const CONNECT_MS = 10_000

/**
 * Requests to one endpoint, over connections that are kept. On node:http, because loading a client of HTTP would take
 * longer than most commands.
 */
export class HttpClient {
  readonly #transport: Promise<{ readonly agent: Agent; readonly send: typeof request }>

  constructor(
    private readonly endpoint: Endpoint,
    private readonly connectMs = CONNECT_MS,
  ) {
    this.#transport = transportTo(endpoint)
  }

  /**
   * Resolves with the head of the response, which can come before the end of the request's body. Rejects with what the
   * system says about the connection; with `ECONNRESET` if that was made, whatever has broken it. Nothing times out then: a log
   * may be quiet for long.
   */
  async request({ method, path, headers, body, signal, onConnected }: HttpRequest): Promise<HttpResponse> {
    const { agent, send } = await this.#transport
    const request = send({ agent, method, path, headers, ...addressOf(this.endpoint) })
    if (signal) endWith(request, signal)
    if (this.endpoint.kind === 'address') limitConnecting(request, this.connectMs)
    let isConnected = false
    whenConnected(request, this.endpoint, () => {
      isConnected = true
      onConnected?.()
    })
    const response = responseTo(request)
    if (typeof body === 'object') void pipeline(Readable.from(body), request).catch(() => undefined)
    else request.end(body)
    return await response.catch((error: unknown) => {
      signal?.throwIfAborted()
      throw isConnected ? asLost(error) : error
    })
  }

  /** Ends all connections at once. */
  async close(): Promise<void> {
    const { agent } = await this.#transport
    agent.destroy()
  }
}

async function transportTo(endpoint: Endpoint) {
  if (endpoint.kind === 'socket') return { agent: new Agent({ keepAlive: true }), send: request }
  const https = await import('node:https')
  const { ca } = endpoint
  const agent = new https.Agent({ keepAlive: true, minVersion: 'TLSv1.2', ...(ca === undefined ? {} : { ca }) })
  return { agent, send: https.request }
}

/** With a server name, Node.js does not look for an address in that of the host, for which it compiles large patterns. */
type Address = RequestOptions & { readonly servername?: string }

function addressOf(endpoint: Endpoint): Address {
  if (endpoint.kind === 'socket') return { socketPath: endpoint.path, host: 'stagerd', servername: '' }
  const { hostname, port } = new URL(endpoint.url)
  // The brackets of an IPv6 address are only for URLs.
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? 443 : Number(port) }
}

/** As the option `signal` of `request` does, in a tenth of its time. */
function endWith(request: ClientRequest, signal: AbortSignal): void {
  const end = () => request.destroy(signal.reason as Error)
  if (signal.aborted) end()
  signal.addEventListener('abort', end, { once: true })
  request.once('close', () => signal.removeEventListener('abort', end))
}

function whenConnected(request: ClientRequest, { kind }: Endpoint, then: () => void): void {
  request.once('socket', (socket) => {
    if (request.reusedSocket) then()
    else socket.once(kind === 'socket' ? 'connect' : 'secureConnect', then)
  })
}

/** TLS and the network say the same of a connection that breaks as of one that is not made. */
function asLost(error: unknown): unknown {
  if (!isSystemError(error) && !isProtocolError(error)) return error
  return Object.assign(new Error('the connection was lost', { cause: error }), { code: 'ECONNRESET' })
}

function responseTo(request: ClientRequest): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    request.once('response', (body) => {
      resolve({ statusCode: body.statusCode ?? 0, headers: body.headers, body })
    })
    // Also after the response: the body has the error then.
    request.on('error', reject)
  })
}

function limitConnecting(request: ClientRequest, ms: number): void {
  request.once('socket', (socket) => {
    if (request.reusedSocket) return
    const late = () => {
      const code = socket.connecting ? 'ETIMEDOUT' : HANDSHAKE_TIMEOUT
      socket.destroy(Object.assign(new Error(`no connection within ${ms} ms`), { code }))
    }
    const timer = setTimeout(late, ms)
    const end = () => clearTimeout(timer)
    socket.once('secureConnect', end).once('close', end)
  })
}

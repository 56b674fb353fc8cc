import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { Fault } from '../../base/errors.js'
import type { CoordinatorListener } from './coordinator-listener.js'
import type { CoordinatorLimits } from './coordinator-limits.js'
import { StagerRequest } from './stager-request.js'
import type { HttpSession } from './http-session.js'
import { isOperation, parseAddress } from './stager-address.js'
import { REASONS } from './stager-answer.js'

export interface ListenerParts {
  readonly session: HttpSession
  readonly limits: CoordinatorLimits
  /** Where a request is answered. */
  readonly route: (exchange: StagerRequest) => void
}

/** Start a launch's own HTTP server on `address`, any port. Throws `Fault` (`coordinator-listen`). */
export async function openListener(address: string, parts: ListenerParts): Promise<CoordinatorListener> {
  const listener = new LaunchListener(parts)
  await listener.listen(address)
  return listener
}

/**
 * INVARIANTS
 * - No connection outlives `close`, whatever state it is in: idle, half a header, half a body, a reader that is asleep.
 * - `close` waits for one thing alone, and for `closeMs` at most: the answer to a verdict. The verdict is what ended the
 *   launch, so without that the stager would be told of a reset connection more often than of its success.
 */
class LaunchListener implements CoordinatorListener {
  readonly #server: http.Server
  readonly #sockets = new Set<Socket>()
  /** The latest exchange of each connection: the one that a broken request breaks. */
  readonly #latest = new WeakMap<Duplex, StagerRequest>()
  readonly #parts: ListenerParts
  #address = ''
  #closed: Promise<void> | undefined

  constructor(parts: ListenerParts) {
    this.#parts = parts
    const { limits } = parts
    this.#server = http.createServer({
      headersTimeout: limits.headerMs,
      // By the total, which a large upload over a slow path would run into: bodies are watched by their rate instead.
      requestTimeout: 0,
      connectionsCheckingInterval: Math.min(1000, limits.headerMs),
      keepAliveTimeout: limits.keepAliveMs,
      maxHeaderSize: limits.headerBytes,
      noDelay: true,
    })
    this.#server.maxConnections = limits.sockets
    // A client that closes its half after the request still reads the answer. Node has this property, but does not
    // document it; without it the request is aborted.
    Object.assign(this.#server, { httpAllowHalfOpen: true })
    this.#server
      .on('connection', (socket) => this.#track(socket))
      .on('request', (request, response) => this.#exchange(request, response, false))
      .on('checkContinue', (request, response) => this.#exchange(request, response, true))
      .on('checkExpectation', (request, response) => this.#exchange(request, response, false))
      .on('clientError', (_error, socket) => this.#broken(socket))
      .on('connect', (_request, socket) => this.#broken(socket))
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get url(): string {
    const host = this.#address.includes(':') ? `[${this.#address}]` : this.#address
    return `http://${host}:${this.port}/${this.#parts.session.handler.launch}`
  }

  async listen(address: string): Promise<void> {
    this.#address = address
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject).listen({ host: address, port: 0 }, resolve)
    }).catch((error: unknown) => {
      throw new Fault('coordinator-listen', `The coordinator cannot listen on ${address}.`, { cause: error })
    })
    // A connection that cannot be accepted, because descriptors are exhausted say, is an error of the server; one that
    // nobody listens for would end the daemon.
    this.#server.on('error', () => undefined)
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    const { session, limits } = this.#parts
    session.end()
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    const spared = new Set<Socket>()
    for (const { request, response } of session.answeringVerdicts()) {
      spared.add(request.socket)
      response.once('close', () => request.socket.destroySoon())
    }
    for (const socket of this.#sockets) if (!spared.has(socket)) socket.destroy()
    const patience = setTimeout(() => this.#sockets.forEach((socket) => socket.destroy()), limits.closeMs)
    await closed
    clearTimeout(patience)
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket)
    // Node takes its own listeners off a connection that asks for CONNECT, also that for errors: a client that resets it
    // before our answer is out would end the daemon.
    socket.on('error', () => undefined)
    socket.once('close', () => {
      this.#sockets.delete(socket)
      this.#parts.session.connectionClosed(socket)
    })
  }

  #exchange(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void {
    const address = parseAddress(request.url ?? '/')
    const exchange = new StagerRequest({ ...this.#parts, address, request, response, expectsContinue })
    this.#latest.set(request.socket, exchange)
    // Fastify would judge a content type before the operation does, also where there is no body to have a type.
    delete request.headers['content-type']
    // Routes know nothing of launches, nor of the ways to spell a path.
    request.url = isOperation(address.operation) ? `/${address.operation}` : '/'
    this.#parts.route(exchange)
  }

  /** What came is not HTTP, is too long, came too slowly, or ended in the middle. */
  #broken(socket: Duplex): void {
    const exchange = this.#latest.get(socket)
    // An answer that is ready but waits behind another is not out yet: what we said here would be said amidst that one.
    const waits = exchange?.response.socket === null && !exchange.response.writableFinished
    if (exchange && (waits || !exchange.response.writableEnded)) {
      if (!exchange.request.complete) exchange.halfClosed()
      else socket.destroy()
      return
    }
    if (!socket.writable) {
      socket.destroy()
      return
    }
    const text = 'The request is not whole, plain HTTP/1.1 with headers of at most 16 KiB: send one that is.'
    socket.end(
      `HTTP/1.1 499 ${REASONS[499]}\r\ncontent-type: text/plain; charset=utf-8\r\n` +
        `content-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`,
      () => socket.destroy(),
    )
  }
}

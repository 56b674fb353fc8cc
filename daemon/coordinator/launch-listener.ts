import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Logger } from 'pino'
import { Fault } from '../../base/errors.js'
import type { FreezeHooks } from '../../isolation/isolation.js'
import type { CoordinatorListener } from './coordinator-listener.js'
import type { CoordinatorLimits } from './coordinator-limits.js'
import type { HttpSession } from './http-session.js'
import type { ReservedPort } from './reserved-port.js'
import { REASONS } from './stager-answer.js'
import { route } from './stager-api.js'
import { StagerRequest } from './stager-request.js'

export interface ListenerParts {
  readonly session: HttpSession
  readonly limits: CoordinatorLimits
  readonly logger: Pick<Logger, 'error'>
}

export interface ListenerPlace {
  readonly address: string
  /** Reserved on that address. */
  readonly port: ReservedPort
}

/** Start the HTTP server of a launch. Throws `Fault` (`coordinator-listen`). */
export async function openListener(place: ListenerPlace, parts: ListenerParts): Promise<CoordinatorListener> {
  const listener = new LaunchListener(parts)
  await listener.listen(place)
  return listener
}

/**
 * INVARIANTS
 * - No connection outlives `close`, whatever its state: idle, within a header or a body, or with a client that does not
 *   read.
 * - `close` waits only for answers to verdicts, for at most `closeMs`. A verdict ends the launch: without the wait the
 *   stager would often see a reset connection instead of its `OK`.
 */
class LaunchListener implements CoordinatorListener {
  readonly #server: http.Server
  readonly #sockets = new Set<Socket>()
  /** The latest request of each connection: an error of the parser concerns it. */
  readonly #latest = new WeakMap<Duplex, StagerRequest>()
  readonly #parts: ListenerParts
  #address = ''
  #closed: Promise<void> | undefined

  constructor(parts: ListenerParts) {
    this.#parts = parts
    const { limits } = parts
    this.#server = http.createServer({
      headersTimeout: limits.headerMs,
      // A limit on the total time would end a large upload over a slow link. `RequestBody` limits the rate instead.
      requestTimeout: 0,
      connectionsCheckingInterval: Math.min(1000, limits.headerMs),
      keepAliveTimeout: limits.keepAliveMs,
      maxHeaderSize: limits.headerBytes,
      // Node would answer 400 by itself. Nothing depends on the header: the launch has the listener for itself.
      requireHostHeader: false,
      noDelay: true,
    })
    // Node reads this at each check of its connections. 0 switches the check off.
    Object.defineProperty(this.#server, 'headersTimeout', {
      get: () => (parts.session.frozenWithin(limits.headerMs) ? 0 : limits.headerMs),
    })
    this.#server.maxConnections = limits.sockets
    // A client that closes its half after the request still reads the answer. Without this property of Node, which is
    // not documented, the request is aborted.
    Object.assign(this.#server, { httpAllowHalfOpen: true })
    this.#server
      .on('connection', (socket) => this.#track(socket))
      .on('request', (request, response) => this.#handle(request, response, false))
      .on('checkContinue', (request, response) => this.#handle(request, response, true))
      .on('checkExpectation', (request, response) => this.#handle(request, response, false))
      .on('clientError', (_error, socket) => this.#broken(socket))
      .on('connect', (_request, socket) => this.#broken(socket))
      .on('drop', () =>
        parts.session.refusals.turnedAway(`this launch has ${limits.sockets} open connections: close some of them.`),
      )
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get url(): string {
    const host = this.#address.includes(':') ? `[${this.#address}]` : this.#address
    return `http://${host}:${this.port}/${this.#parts.session.handler.launch}`
  }

  get freezeHooks(): FreezeHooks {
    return this.#parts.session.freezeHooks
  }

  async listen({ address, port }: ListenerPlace): Promise<void> {
    this.#address = address
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject).listen(port.handle, resolve)
    }).catch((error: unknown) => {
      throw new Fault('coordinator-listen', `The coordinator cannot listen on ${address}.`, { cause: error })
    })
    // A connection that cannot be accepted, because descriptors are exhausted for instance, is an error of the server.
    // Without a listener it would end the daemon.
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
    const answering = new Set<Socket>()
    for (const { raw, response } of session.answeringVerdicts()) {
      answering.add(raw.socket)
      response.once('close', () => raw.socket.destroySoon())
    }
    for (const socket of this.#sockets) if (!answering.has(socket)) socket.destroy()
    const timer = setTimeout(() => this.#sockets.forEach((socket) => socket.destroy()), limits.closeMs)
    await closed
    clearTimeout(timer)
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket)
    // Node removes its own listeners from a connection that asks for CONNECT, that for errors too. Without this one, a
    // client that resets the connection before our answer is out would end the daemon.
    socket.on('error', () => undefined)
    socket.once('close', () => {
      this.#sockets.delete(socket)
      this.#parts.session.connectionClosed(socket)
    })
  }

  #handle(raw: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void {
    const { session, limits, logger } = this.#parts
    const ticket = session.draw(raw)
    const request = new StagerRequest({ raw, response, ticket, limits, freezes: session, expectsContinue })
    session.add(request)
    this.#latest.set(raw.socket, request)
    void route(request, session, logger)
  }

  /** The parser has met something that is not HTTP, is too long, arrives too slowly, or ends too early. */
  #broken(socket: Duplex): void {
    const request = this.#latest.get(socket)
    // A response that waits behind another has no socket yet. Anything written now would end up within the other one.
    const waits = request?.response.socket === null && !request.response.writableFinished
    if (request && (waits || !request.response.writableEnded)) {
      if (!request.raw.complete) request.halfClosed()
      else socket.destroy()
      return
    }
    if (!socket.writable) {
      socket.destroy()
      return
    }
    const text = 'The request is not whole, plain HTTP/1.1 with headers of at most 16 KiB: send one that is.'
    this.#parts.session.refusals.answered(undefined, 499, text)
    socket.end(
      `HTTP/1.1 499 ${REASONS[499]}\r\ncontent-type: text/plain; charset=utf-8\r\n` +
        `content-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`,
      () => socket.destroy(),
    )
  }
}

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Ticket } from './arrival-order.js'
import type { CoordinatorLimits } from './coordinator-limits.js'
import type { HttpSession } from './http-session.js'
import type { FileSender } from '../http/file-sender.js'
import { collect, RequestBody, tooLarge } from '../http/request-body.js'
import { REASONS, type StagerStatus } from './stager-answer.js'
import type { StagerAddress } from './stager-address.js'

/**
 * One request of a stager and its response, from headers to the last byte.
 *
 * LIFECYCLE
 * - The listener makes it the moment the headers are there, and puts it in the order of arrival.
 * - It is over when the response is closed, for whatever reason: then its signal is aborted.
 * - Whatever of the request's body nobody wanted is read and thrown away for `lingerMs`: a client that is still sending
 *   would otherwise be reset before it reads the answer.
 */
export class StagerRequest {
  readonly #ended = new AbortController()
  readonly #ticket: Ticket
  #acts = false
  #body: RequestBody | undefined
  #cutShort = false
  #continued: boolean

  readonly session: HttpSession
  readonly address: StagerAddress
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly limits: CoordinatorLimits
  readonly contentType: string | undefined
  /** Who sends the body of the answer, when it is not Node. */
  sender: Pick<FileSender, 'sent'> | undefined

  constructor(parts: {
    readonly session: HttpSession
    readonly address: StagerAddress
    readonly request: IncomingMessage
    readonly response: ServerResponse
    readonly limits: CoordinatorLimits
    /** The client waits for `100 Continue` before it sends its body. */
    readonly expectsContinue: boolean
  }) {
    const { session, address, request, response, limits, expectsContinue } = parts
    this.session = session
    this.address = address
    this.request = request
    this.response = response
    this.limits = limits
    this.contentType = request.headers['content-type']
    this.#ticket = session.arrive(this)
    this.#continued = !expectsContinue
    response.once('finish', () => {
      if (!request.complete) this.#linger(() => undefined)
    })
    response.once('close', () => {
      this.#leaveUnlessActing()
      this.#ended.abort()
    })
  }

  /** Aborted when nobody waits for the answer any more. */
  get signal(): AbortSignal {
    return this.#ended.signal
  }

  /** Do what was asked when it is this one's turn; the next one's comes when it is done, even if the client has gone. */
  async inTurn<T>(deed: () => Promise<T> | T): Promise<T> {
    this.#acts = true
    await this.#ticket.turn
    try {
      return await deed()
    } finally {
      this.#ticket.leave()
    }
  }

  /** The body as a stream, to be called once; from here on the client is told to send it. */
  openBody(): RequestBody {
    const body = new RequestBody(this.request, {
      ...this.limits,
      isExcused: () => this.session.frozenWithin(this.limits.paceMs),
    })
    this.#body = body
    if (this.#cutShort) body.cutShort()
    else if (!this.#continued) {
      this.#continued = true
      this.response.writeContinue()
    }
    return body
  }

  /** A small body, whole; empty when there is none. Throws `TooLarge` (`body-too-large`), if possible before reading. */
  async readBody(): Promise<Buffer> {
    const { 'content-length': length, 'transfer-encoding': encoding } = this.request.headers
    if (encoding === undefined && (length === undefined || length === '0')) return Buffer.alloc(0)
    if (Number(length) > this.limits.formBytes) throw tooLarge(this.limits.formBytes)
    return collect(this.openBody(), this.limits.formBytes)
  }

  /** The client has closed its half of the connection, perhaps within the body: it can still read an answer. */
  halfClosed(): void {
    this.#cutShort = true
    this.response.shouldKeepAlive = false
    this.#body?.cutShort()
  }

  /** Node tells a response only if it was its turn on the connection, and not if it waited behind another. */
  connectionClosed(): void {
    const { response } = this
    if (response.socket !== null || response.writableFinished) return
    response.destroy()
    response.emit('close')
  }

  /** Answer with a status of the Stager API. Does nothing but end the connection when the response has begun already. */
  refuse(status: StagerStatus, text: string): void {
    const { request, response } = this
    this.#leaveUnlessActing()
    if (response.headersSent) {
      response.destroy()
      return
    }
    if (!this.#continued) response.shouldKeepAlive = false
    response.writeHead(status, REASONS[status], {
      'content-type': 'text/plain; charset=utf-8',
      'content-length': Buffer.byteLength(text),
    })
    if (request.complete || !this.#continued || this.#cutShort) {
      response.end(text)
      return
    }
    // All of the answer goes out now; `end`, which may close the connection, waits for the rest of the body.
    response.write(text)
    this.#linger(() => response.end())
  }

  #leaveUnlessActing(): void {
    if (!this.#acts) this.#ticket.leave()
  }

  #linger(done: () => void): void {
    const { request } = this
    const over = (): void => {
      clearTimeout(patience)
      request.off('end', over).off('close', over)
      done()
    }
    const patience = setTimeout(() => {
      over()
      request.socket.destroy()
    }, this.limits.lingerMs).unref()
    request.once('end', over).once('close', over)
    request.on('error', () => undefined)
    request.resume()
  }
}

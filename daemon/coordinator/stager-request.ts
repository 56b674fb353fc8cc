import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FileSender } from '../http/file-sender.js'
import { collect, type MinimumRate, RequestBody, tooLarge } from '../http/request-body.js'
import type { Ticket } from './arrival-order.js'
import type { CoordinatorLimits } from './coordinator-limits.js'
import type { RefusedRequest } from './refusals.js'
import { parseAddress, type StagerAddress } from './stager-address.js'
import { REASONS, type StagerStatus } from './stager-answer.js'

export interface StagerRequestParts {
  readonly raw: IncomingMessage
  readonly response: ServerResponse
  /** The place of the request in the order. Whoever handles the request releases it. */
  readonly ticket: Ticket
  readonly limits: CoordinatorLimits
  /** Of the body. */
  readonly minRate: MinimumRate
  /** The client waits for `100 Continue` before it sends its body. */
  readonly expectsContinue: boolean
}

/**
 * One request of a stager and its response, from the headers to the last byte.
 *
 * LIFECYCLE
 * - The listener makes it as soon as the headers are there.
 * - It is over when the response is closed, for any reason: then its signal is aborted.
 * - The part of the body that no operation reads is read and discarded for `lingerMs`. Otherwise a client that is still
 *   sending would be reset before it reads the answer.
 */
export class StagerRequest {
  readonly #ended = new AbortController()
  #body: RequestBody | undefined
  #cutShort = false
  #continued: boolean
  readonly #minRate: MinimumRate

  readonly raw: IncomingMessage
  readonly response: ServerResponse
  readonly address: StagerAddress
  readonly ticket: Ticket
  readonly limits: CoordinatorLimits
  /** Sends the body of the response, if Node does not. */
  sender: Pick<FileSender, 'sent'> | undefined

  constructor({ raw, response, ticket, limits, minRate, expectsContinue }: StagerRequestParts) {
    this.raw = raw
    this.response = response
    this.address = parseAddress(raw.url ?? '/')
    this.ticket = ticket
    this.limits = limits
    this.#minRate = minRate
    this.#continued = !expectsContinue
    response.once('finish', () => {
      if (!raw.complete) this.#linger(() => undefined)
    })
    response.once('close', () => this.#ended.abort())
  }

  /** For messages. */
  get asked(): RefusedRequest {
    return { method: this.raw.method ?? '', operation: this.address.operation }
  }

  /** Aborted when the response is closed: then no client waits for the answer. */
  get signal(): AbortSignal {
    return this.#ended.signal
  }

  /** The body as a stream. Must be called only once. It tells a client that waits for `100 Continue` to send. */
  openBody(): RequestBody {
    const body = new RequestBody(this.raw, this.#minRate)
    this.#body = body
    if (this.#cutShort) body.cutShort()
    else if (!this.#continued) {
      this.#continued = true
      this.response.writeContinue()
    }
    return body
  }

  /** All of a small body; empty if there is none. Throws `TooLarge` (`body-too-large`), before reading if possible. */
  async readBody(): Promise<Buffer> {
    const { 'content-length': length, 'transfer-encoding': encoding } = this.raw.headers
    if (encoding === undefined && (length === undefined || length === '0')) return Buffer.alloc(0)
    if (Number(length) > this.limits.formBytes) throw tooLarge(this.limits.formBytes)
    return collect(this.openBody(), this.limits.formBytes)
  }

  /** The client has closed its half of the connection, perhaps within the body. It can still read an answer. */
  halfClosed(): void {
    this.#cutShort = true
    this.response.shouldKeepAlive = false
    this.#body?.cutShort()
  }

  /** Node closes the response at the head of a closed connection, but not those that wait behind it. */
  connectionClosed(): void {
    const { response } = this
    if (response.socket !== null || response.writableFinished) return
    response.destroy()
    response.emit('close')
  }

  /** Answer 200. Clients expect the body `OK`, exactly, unless they asked for a document. */
  succeed(body = 'OK', contentType = TEXT): void {
    this.response.writeHead(200, { 'content-type': contentType, 'content-length': Buffer.byteLength(body) })
    this.response.end(body)
  }

  /** Answer with a status of the Stager API. If the response has begun already, only close the connection. */
  refuse(status: StagerStatus, text: string): void {
    const { raw, response } = this
    if (response.headersSent) {
      response.destroy()
      return
    }
    if (!this.#continued) response.shouldKeepAlive = false
    response.writeHead(status, REASONS[status], {
      'content-type': TEXT,
      'content-length': Buffer.byteLength(text),
    })
    if (raw.complete || !this.#continued || this.#cutShort) {
      response.end(text)
      return
    }
    // The whole answer is sent now. `end`, which may close the connection, waits for the rest of the body.
    response.write(text)
    this.#linger(() => response.end())
  }

  #linger(done: () => void): void {
    const { raw } = this
    const over = (): void => {
      clearTimeout(timer)
      raw.off('end', over).off('close', over)
      done()
    }
    const timer = setTimeout(() => {
      over()
      raw.socket.destroy()
    }, this.limits.lingerMs).unref()
    raw.once('end', over).once('close', over)
    raw.on('error', () => undefined)
    raw.resume()
  }
}

const TEXT = 'text/plain; charset=utf-8'

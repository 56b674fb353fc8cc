import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { BadInput, type StagerdError, TooLarge } from '../../base/errors.js'

export interface Pace {
  /** Length of a window in milliseconds, and what must arrive in each. */
  readonly paceMs: number
  readonly paceBytes: number
  /** Asked at the end of each window: whether the client could not send for a part of it. */
  readonly isExcused?: () => boolean
}

/**
 * The body of a request, which ends well only when all that was announced has come.
 *
 * A stream of its own and not the request itself, because whoever destroys a request destroys its connection with it,
 * and the client would never read why.
 *
 * Errors with `BadInput`: `body-cut-short` when the client goes, or closes its half of the connection, too early;
 * `body-too-slow` when it falls behind `pace` while we wait for it.
 */
export class RequestBody extends Readable {
  readonly #request: IncomingMessage
  readonly #pace: Pace
  #watch: NodeJS.Timeout | undefined
  #received = 0
  #receivedBefore = 0
  /** Whether the consumer was ever busy in this window: then the client cannot be blamed for silence. */
  #consumerBusy = false

  /** Why the client is to blame, if it is: whoever consumes the stream may wrap its errors beyond recognition. */
  fault: StagerdError | undefined

  constructor(request: IncomingMessage, pace: Pace) {
    super({ highWaterMark: 256 * 1024 })
    this.#request = request
    this.#pace = pace
    // Paused first: listening for data would start the flow before anybody reads.
    request.pause()
    request.on('data', this.#onData).on('end', this.#onEnd).on('close', this.#onGone).on('error', this.#onGone)
  }

  override _read(): void {
    this.#watch ??= setInterval(() => this.#judgePace(), this.#pace.paceMs).unref()
    this.#request.resume()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    clearInterval(this.#watch)
    const request = this.#request.pause()
    request.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onGone)
    // The listener for errors stays: an error that nobody listens for ends the process.
    callback(error)
  }

  /** End the stream with an error that is the client's fault. */
  fail(fault: StagerdError): void {
    if (this.destroyed) return
    this.fault = fault
    this.destroy(fault)
  }

  cutShort(): void {
    this.fail(
      new BadInput('body-cut-short', `The body was cut short after ${this.#received} bytes: nothing of it is kept.`),
    )
  }

  #judgePace(): void {
    const came = this.#received - this.#receivedBefore
    const isExcused = this.#consumerBusy || this.#pace.isExcused?.() === true
    if (!isExcused && came < this.#pace.paceBytes)
      this.fail(new BadInput('body-too-slow', `The body came too slowly: ${came} bytes in ${this.#pace.paceMs} ms.`))
    this.#receivedBefore = this.#received
    this.#consumerBusy = this.#request.isPaused()
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#received += chunk.length
    if (this.push(chunk)) return
    this.#consumerBusy = true
    this.#request.pause()
  }

  readonly #onEnd = (): void => {
    clearInterval(this.#watch)
    if (this.#request.complete) this.push(null)
    else this.cutShort()
  }

  readonly #onGone = (): void => {
    if (!this.#request.readableEnded) this.cutShort()
  }
}

/** The whole of a small body. Throws `TooLarge` (`body-too-large`) as soon as it is known to be more than `limit` bytes. */
export async function collect(body: RequestBody, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      length += chunk.length
      if (length > limit) throw tooLarge(limit)
      chunks.push(chunk)
    }
  } catch (error) {
    throw body.fault ?? error
  }
  return Buffer.concat(chunks)
}

export function tooLarge(limit: number): TooLarge {
  return new TooLarge('body-too-large', `The body is too large: at most ${limit / 1024} KiB fit in this request.`)
}

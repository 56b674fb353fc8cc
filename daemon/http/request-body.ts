import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { BadInput, type StagerdError, TooLarge } from '../../base/errors.js'

/** At least `bytes` in each window of `windowMs` milliseconds. */
export interface MinimumRate {
  readonly bytes: number
  readonly windowMs: number
  /** Called at the end of each window: whether the client could not send during a part of it. */
  readonly isExcused?: () => boolean
}

/**
 * The body of a request. It ends without an error only if all of the announced body has arrived.
 *
 * It is a stream of its own, and not the request itself, because destroying a request destroys its connection, and the
 * client would not read why.
 *
 * Fails with `BadInput`: `body-cut-short` when the client closes the connection, or its half of it, too early;
 * `body-too-slow` when the client sends more slowly than `minRate` while the consumer waits for it.
 */
export class RequestBody extends Readable {
  readonly #request: IncomingMessage
  readonly #minRate: MinimumRate
  #rateTimer: NodeJS.Timeout | undefined
  #received = 0
  #receivedBefore = 0
  /** Whether the consumer was busy at any time in this window: then it, and not the client, may be the slow one. */
  #consumerBusy = false

  /** The error of the client, if there is one. Consumers of the stream may wrap errors beyond recognition. */
  fault: StagerdError | undefined

  constructor(request: IncomingMessage, minRate: MinimumRate) {
    super({ highWaterMark: 256 * 1024 })
    this.#request = request
    this.#minRate = minRate
    // Paused first: a listener for data would start the flow before the consumer reads.
    request.pause()
    request.on('data', this.#onData).on('end', this.#onEnd).on('close', this.#onGone).on('error', this.#onGone)
    // It says so only once. Later, so that the caller can listen for the error.
    if (request.destroyed) process.nextTick(this.#onGone)
  }

  override _read(): void {
    this.#rateTimer ??= setInterval(() => this.#checkRate(), this.#minRate.windowMs).unref()
    this.#request.resume()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    clearInterval(this.#rateTimer)
    const request = this.#request.pause()
    request.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onGone)
    // The listener for errors stays: an error without a listener ends the process.
    callback(error)
  }

  /** End the stream with an error of the client. */
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

  #checkRate(): void {
    const { bytes, windowMs } = this.#minRate
    const arrived = this.#received - this.#receivedBefore
    const isExcused = this.#consumerBusy || this.#minRate.isExcused?.() === true
    if (!isExcused && arrived < bytes)
      this.fail(new BadInput('body-too-slow', `The body came too slowly: ${arrived} bytes in ${windowMs} ms.`))
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
    clearInterval(this.#rateTimer)
    if (this.#request.complete) this.push(null)
    else this.cutShort()
  }

  readonly #onGone = (): void => {
    if (!this.#request.readableEnded) this.cutShort()
  }
}

/** Read all of a small body. Throws `TooLarge` (`body-too-large`) as soon as it exceeds `limit` bytes. */
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

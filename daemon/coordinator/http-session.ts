import type { Socket } from 'node:net'
import type { FreezeHooks } from '../../isolation/isolation.js'
import type { Verdict } from '../model/staging.js'
import { ArrivalOrder, type Ticket } from './arrival-order.js'
import type { StagerRequest } from './stager-request.js'
import type { LaunchHandler } from './launch-handler.js'
import { StagerRefusal } from './stager-answer.js'

/**
 * One launch, as its listener sees it: what may still be asked, and in which order.
 *
 * INVARIANTS
 * - At most one method of the handler that changes something is at work, and they are called in order of arrival.
 * - After a verdict, and after `end`, no method of the handler is begun.
 * - At most one upload is under way; a second one is refused rather than made to wait, because its sender would be left
 *   with a body that nobody reads.
 */
export class HttpSession {
  readonly #order = new ArrivalOrder()
  readonly #exchanges = new Set<StagerRequest>()
  #given: Verdict | undefined
  #ended = false
  #uploading = false
  #downloads = 0
  #frozen = false
  /** By the clock of `performance.now`. */
  #thawedAt = -Infinity
  /** For a snapshot. */
  readonly freezeHooks: FreezeHooks = {
    onFreeze: () => {
      this.#frozen = true
    },
    onThaw: () => {
      this.#frozen = false
      this.#thawedAt = performance.now()
    },
  }

  constructor(readonly handler: LaunchHandler) {}

  /** The verdict that has been recorded. */
  get given(): Verdict | undefined {
    return this.#given
  }

  /** Whether a snapshot kept the container frozen at any moment of that time: its programs cannot read or write then. */
  frozenWithin(milliseconds: number): boolean {
    return this.#frozen || performance.now() - this.#thawedAt < milliseconds
  }

  /** To be called for every exchange, the moment it begins. */
  arrive(exchange: StagerRequest): Ticket {
    const { request, response } = exchange
    this.#exchanges.add(exchange)
    response.once('close', () => this.#exchanges.delete(exchange))
    const reads = request.method === 'GET' || request.method === 'HEAD'
    return reads ? this.#order.reading(request.socket) : this.#order.mutation(request.socket)
  }

  /** To be called for every connection that is closed, by whomever. */
  connectionClosed(socket: Socket): void {
    for (const exchange of this.#exchanges) if (exchange.request.socket === socket) exchange.connectionClosed()
  }

  /** Who has the connection for a file at this moment, instead of Node. */
  senderAtWork(socket: Socket): StagerRequest['sender'] {
    for (const { request, sender } of this.#exchanges)
      if (request.socket === socket && sender?.sent !== undefined) return sender
    return undefined
  }

  /** The launch is over as far as HTTP is concerned. */
  end(): void {
    this.#ended = true
  }

  /** Throws `StagerRefusal` 452 once the launch has its verdict, or is over. */
  assertCurrent(): void {
    if (this.#given !== undefined)
      throw new StagerRefusal(452, `The UUID is not current any more: this launch has ended with ${this.#given}.`)
    if (this.#ended) throw new StagerRefusal(452, 'The UUID is not current any more: this launch has ended.')
  }

  /** Do something to the handler when it is this exchange's turn. */
  inTurn<T>(exchange: StagerRequest, deed: (handler: LaunchHandler) => Promise<T> | T): Promise<T> {
    return exchange.inTurn(() => {
      this.assertCurrent()
      return deed(this.handler)
    })
  }

  verdict(exchange: StagerRequest, verdict: Verdict): Promise<void> {
    return exchange.inTurn(async () => {
      // Said again, because the answer was lost or a script is thorough: nothing is wrong with that.
      if (this.#given === verdict) return
      this.assertCurrent()
      await this.handler.verdict(verdict)
      this.#given = verdict
    })
  }

  async uploading<T>(upload: () => Promise<T>): Promise<T> {
    if (this.#uploading)
      throw new StagerRefusal(499, 'Another upload of this launch is under way: upload one thing at a time.')
    this.#uploading = true
    try {
      return await upload()
    } finally {
      this.#uploading = false
    }
  }

  /** Count a download until its response is closed. */
  downloading(exchange: StagerRequest, atMost: number): void {
    if (this.#downloads >= atMost)
      throw new StagerRefusal(499, `This launch has ${atMost} downloads under way: let one of them end first.`)
    this.#downloads += 1
    exchange.response.once('close', () => (this.#downloads -= 1))
  }

  /** Verdicts whose answer is still on its way: the only exchanges worth waiting for at the end. */
  answeringVerdicts(): readonly StagerRequest[] {
    return [...this.#exchanges].filter(
      ({ address, request }) => request.method === 'POST' && isVerdict(address.operation),
    )
  }
}

export const VERDICTS = ['done', 'failed', 'relaunch'] as const satisfies readonly Verdict[]

function isVerdict(operation: string): boolean {
  return (VERDICTS as readonly string[]).includes(operation)
}

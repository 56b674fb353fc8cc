import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { FreezeHooks } from '../../isolation/isolation.js'
import type { Verdict } from '../model/staging.js'
import { ArrivalOrder, type Ticket } from './arrival-order.js'
import type { LaunchHandler } from './launch-handler.js'
import { Refusals } from './refusals.js'
import { StagerRefusal } from './stager-answer.js'
import type { StagerRequest } from './stager-request.js'

/**
 * The HTTP side of one launch: its open requests, their order, and whether it still takes any.
 *
 * INVARIANTS
 * - At most one method of the handler that changes something runs at a time. They run in order of arrival.
 * - After a verdict, and after `end`, no method of the handler is called.
 * - At most one upload is in progress. A second one is refused: if it waited, nobody would read its body meanwhile.
 */
export class HttpSession {
  readonly #order = new ArrivalOrder()
  readonly #requests = new Set<StagerRequest>()
  #recorded: Verdict | undefined
  #ended = false
  #uploading = false
  #downloads = 0
  #frozen = false
  /** By the clock of `performance.now`. */
  #thawedAt = -Infinity
  /** See `CoordinatorListener.freezeHooks`. */
  readonly freezeHooks: FreezeHooks = {
    onFreeze: () => {
      this.#frozen = true
    },
    onThaw: () => {
      this.#frozen = false
      this.#thawedAt = performance.now()
    },
  }

  readonly refusals: Refusals

  constructor(readonly handler: LaunchHandler) {
    this.refusals = new Refusals((line) => handler.refused(line))
  }

  /** The verdict that has been recorded. */
  get recorded(): Verdict | undefined {
    return this.#recorded
  }

  /** Whether the container was frozen at any moment of that time: its programs cannot read or write then. */
  frozenWithin(milliseconds: number): boolean {
    return this.#frozen || performance.now() - this.#thawedAt < milliseconds
  }

  /** The place of a request in the order. Must be called as soon as its headers are there. */
  draw({ method, socket }: IncomingMessage): Ticket {
    const reads = method === 'GET' || method === 'HEAD'
    return reads ? this.#order.read(socket) : this.#order.change(socket)
  }

  /** Keep track of a request until its response is closed. */
  add(request: StagerRequest): void {
    this.#requests.add(request)
    request.response.once('close', () => this.#requests.delete(request))
  }

  /** Must be called for every connection that is closed, by either side. */
  connectionClosed(socket: Socket): void {
    for (const request of this.#requests) if (request.raw.socket === socket) request.connectionClosed()
  }

  /** The `FileSender` that writes to the connection now, instead of Node. */
  activeSender(socket: Socket): StagerRequest['sender'] {
    for (const { raw, sender } of this.#requests) if (raw.socket === socket && sender?.sent !== undefined) return sender
    return undefined
  }

  /** Take no more requests. */
  end(): void {
    this.#ended = true
  }

  /** Throws `StagerRefusal` 452 once the launch has its verdict, or has ended. */
  assertCurrent(): void {
    if (this.#recorded !== undefined)
      throw new StagerRefusal(452, `The UUID is not current any more: this launch has ended with ${this.#recorded}.`)
    if (this.#ended) throw new StagerRefusal(452, 'The UUID is not current any more: this launch has ended.')
  }

  /** Call the handler when it is the turn of `request`. It is called even if the client has gone meanwhile. */
  async inOrder<T>(request: StagerRequest, call: (handler: LaunchHandler) => Promise<T> | T): Promise<T> {
    await request.ticket.ready
    this.assertCurrent()
    return await call(this.handler)
  }

  /**
   * @param onlyIfNeeded of `relaunch`: not if the stager would be given nothing else
   * @returns whether the launch has this verdict
   */
  async recordVerdict(
    request: StagerRequest,
    verdict: Verdict,
    { reproducible, onlyIfNeeded }: { readonly reproducible: boolean; readonly onlyIfNeeded: boolean },
  ): Promise<boolean> {
    await request.ticket.ready
    // A client may repeat its verdict, because the answer was lost for instance.
    if (this.#recorded === verdict) return true
    this.assertCurrent()
    if (onlyIfNeeded && !(await this.handler.needsRelaunch())) return false
    await this.handler.verdict(verdict, reproducible)
    this.#recorded = verdict
    return true
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

  /** Count a download until its response is closed. Throws `StagerRefusal` when there are too many. */
  countDownload({ limits, response }: StagerRequest): void {
    if (this.#downloads >= limits.downloads)
      throw new StagerRefusal(
        499,
        `This launch has ${limits.downloads} downloads under way: wait until one of them ends.`,
      )
    this.#downloads += 1
    response.once('close', () => (this.#downloads -= 1))
  }

  /** Verdicts whose answer is not out yet: the only requests that the end of the launch waits for. */
  answeringVerdicts(): readonly StagerRequest[] {
    return [...this.#requests].filter(({ address, raw }) => raw.method === 'POST' && isVerdict(address.operation))
  }
}

const VERDICTS: Readonly<Record<Verdict, true>> = { done: true, failed: true, relaunch: true }

function isVerdict(operation: string): boolean {
  return Object.hasOwn(VERDICTS, operation)
}

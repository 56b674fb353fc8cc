import { orAborted } from '../../base/or-aborted.js'
import { DaemonUnreachable, transportError } from './daemon-unreachable.js'
import type { Endpoint } from './endpoint.js'
import { HttpClient, type HttpRequest, type HttpResponse } from './http-client.js'

interface Candidate {
  readonly endpoint: Endpoint
  readonly client: HttpClient
}

/**
 * Requests to the first of several endpoints that answers, all of one fleet. It is asked until it fails to answer; then the
 * others are tried, in order, and it itself at last.
 *
 * A request is repeated at another endpoint only if that cannot do it twice: it has not been sent, or it only reads.
 */
export class FirstAnswering {
  /** Those that are tried first come first. */
  #candidates: readonly Candidate[]
  #chosen: Candidate | undefined
  #choosing: Promise<Candidate> | undefined
  #last: Endpoint

  /** @param limits for tests */
  constructor(
    endpoints: readonly [Endpoint, ...Endpoint[]],
    private readonly limits: { readonly connectMs?: number; readonly healthMs?: number } = {},
  ) {
    this.#candidates = endpoints.map((endpoint) => ({ endpoint, client: new HttpClient(endpoint, limits.connectMs) }))
    // There is no choice: nothing need be asked first.
    if (endpoints.length === 1) this.#chosen = this.#candidates[0]
    this.#last = endpoints[0]
  }

  /** The one that was asked last. */
  get endpoint(): Endpoint {
    return this.#last
  }

  /** Rejects as `HttpClient.request`, or with `DaemonUnreachable` (`no-daemon`) that says of each endpoint what is wrong. */
  async request(request: HttpRequest): Promise<HttpResponse> {
    for (let attempt = 1; ; attempt++) {
      const chosen = this.#chosen ?? (await this.#choose(request.signal))
      this.#last = chosen.endpoint
      let isSent = false
      try {
        return await chosen.client.request({ ...request, onConnected: () => (isSent = true) })
      } catch (error) {
        request.signal?.throwIfAborted()
        const isLost = transportError(error, chosen.endpoint) instanceof DaemonUnreachable
        if (!isLost || this.#candidates.length === 1) throw error
        this.#leave(chosen)
        if (!mayRepeat(request, isSent) || attempt >= this.#candidates.length) throw error
      }
    }
  }

  /** Ends all connections at once. */
  async close(): Promise<void> {
    await Promise.all(this.#candidates.map(({ client }) => client.close()))
  }

  #leave(failed: Candidate): void {
    if (this.#chosen !== failed) return
    this.#chosen = undefined
    const next = this.#candidates.indexOf(failed) + 1
    this.#candidates = [...this.#candidates.slice(next), ...this.#candidates.slice(0, next)]
  }

  /** For all that ask meanwhile: one that does not wait any more ends it for no other. */
  #choose(signal: AbortSignal | undefined): Promise<Candidate> {
    this.#choosing ??= this.#firstThatAnswers().finally(() => (this.#choosing = undefined))
    return signal ? orAborted(this.#choosing, signal) : this.#choosing
  }

  async #firstThatAnswers(): Promise<Candidate> {
    const { healthMs = HEALTH_MS } = this.limits
    const reasons: string[] = []
    for (const candidate of this.#candidates) {
      const { endpoint, client } = candidate
      // The kernel takes the connection for a process that stands still, also on a socket.
      const late = AbortSignal.timeout(healthMs)
      try {
        const answer = await client.request({ ...HEALTH, signal: late })
        answer.body.resume()
        if (answer.statusCode < 500) return (this.#chosen = candidate)
        reasons.push(`${nameOf(endpoint)} answers with status ${answer.statusCode}.`)
      } catch (error) {
        if (late.aborted) {
          reasons.push(`${nameOf(endpoint)} does not answer within ${healthMs / 1000} seconds.`)
          continue
        }
        const reason = transportError(error, endpoint)
        if (!(reason instanceof DaemonUnreachable)) throw error
        reasons.push(reason.code === 'connection-lost' ? `${nameOf(endpoint)} closes the connection.` : reason.message)
      }
    }
    throw new DaemonUnreachable('no-daemon', `None of the ${reasons.length} addresses answers. ${reasons.join(' ')}`)
  }
}

/** How long a node may take to answer that, in milliseconds. More than for the connection, whose error says more. */
const HEALTH_MS = 15_000
/** No token is asked for. */
const HEALTH = { method: 'GET', path: '/healthz', headers: {}, body: undefined } as const

function nameOf(endpoint: Endpoint): string {
  return endpoint.kind === 'socket' ? endpoint.path : endpoint.url
}

function mayRepeat({ method, body }: HttpRequest, isSent: boolean): boolean {
  return typeof body !== 'object' && (method === 'GET' || !isSent)
}

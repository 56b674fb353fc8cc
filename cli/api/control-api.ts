import type { Readable } from 'node:stream'
import { Agent, type Dispatcher } from 'undici'
import { problemOf } from './api-problem.js'
import { ApiProblem } from './api-problem.js'
import { transportError } from './daemon-unreachable.js'

export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>

export interface Call {
  readonly query?: Query
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

/** Bytes to send; the length must be known, since the daemon checks it. */
export interface RawBody {
  readonly length: number
  readonly chunks: AsyncIterable<Uint8Array>
}

export type Answer = Dispatcher.ResponseData

/**
 * The control API over the daemon's unix socket.
 *
 * Every method throws `ApiProblem` for what the daemon refuses, `DaemonUnreachable` when nobody answers, and the
 * signal's reason when aborted. Answers are taken at their word: the daemon validates against the same documents.
 * `close` ends every connection at once; the owner calls it.
 */
export class ControlApi {
  readonly #agent: Agent

  constructor(readonly socketPath: string) {
    // Neither an upload that is being made durable nor a quiet log is a stuck daemon: cancelling is up to the user.
    this.#agent = new Agent({ connect: { socketPath }, headersTimeout: 0, bodyTimeout: 0 })
  }

  get<T>(path: string, call: Call = {}): Promise<T> {
    return this.#document('GET', path, undefined, call)
  }

  /** Undefined when nothing goes by that name. */
  async find<T>(path: string, call: Call = {}): Promise<T | undefined> {
    try {
      return await this.get<T>(path, call)
    } catch (error) {
      if (error instanceof ApiProblem && error.status === 404) return undefined
      throw error
    }
  }

  post<T>(path: string, document: unknown, call: Call = {}): Promise<T> {
    return this.#document('POST', path, document, call)
  }

  put<T>(path: string, document: unknown, call: Call = {}): Promise<T> {
    return this.#document('PUT', path, document, call)
  }

  patch<T>(path: string, document: unknown, call: Call = {}): Promise<T> {
    return this.#document('PATCH', path, document, call)
  }

  async delete(path: string, call: Call = {}): Promise<void> {
    await this.#document('DELETE', path, undefined, call)
  }

  async upload<T>(path: string, body: RawBody, call: Call = {}): Promise<T> {
    const headers = { 'content-type': 'application/octet-stream', 'content-length': String(body.length) }
    const answer = await this.#request('POST', path, body.chunks, { ...call, headers: { ...call.headers, ...headers } })
    return await this.#read<T>(answer, call)
  }

  /** The answer as it arrives; the caller reads or destroys its body. With a document, it is POSTed. */
  stream(path: string, call: Call = {}, document?: unknown): Promise<Answer> {
    if (document === undefined) return this.#request('GET', path, null, call)
    return this.#request('POST', path, JSON.stringify(document), withJson(call))
  }

  async close(): Promise<void> {
    await this.#agent.destroy()
  }

  async #document<T>(method: Dispatcher.HttpMethod, path: string, document: unknown, call: Call): Promise<T> {
    const answer =
      document === undefined
        ? await this.#request(method, path, null, call)
        : await this.#request(method, path, JSON.stringify(document), withJson(call))
    return await this.#read<T>(answer, call)
  }

  async #read<T>(answer: Answer, call: Call): Promise<T> {
    const text = await this.#text(answer, call)
    return (text === '' ? undefined : JSON.parse(text)) as T
  }

  async #text(answer: Answer, call: Call): Promise<string> {
    try {
      return await answer.body.text()
    } catch (error) {
      call.signal?.throwIfAborted()
      throw transportError(error, this.socketPath)
    }
  }

  async #request(
    method: Dispatcher.HttpMethod,
    path: string,
    body: string | AsyncIterable<Uint8Array> | null,
    call: Call,
  ): Promise<Answer> {
    let answer: Answer
    try {
      answer = await this.#agent.request({
        // The host is only a header: the connection goes to the socket.
        origin: 'http://stagerd',
        path: path + queryString(call.query),
        method,
        // undici takes any async iterable; its types know only Readable.
        body: body as string | Readable | null,
        headers: { accept: 'application/json', ...call.headers },
        signal: call.signal ?? null,
      })
    } catch (error) {
      call.signal?.throwIfAborted()
      throw transportError(error, this.socketPath)
    }
    if (answer.statusCode >= 300) throw problemOf(answer.statusCode, await this.#text(answer, call))
    return answer
  }
}

function withJson(call: Call): Call {
  return { ...call, headers: { 'content-type': 'application/json', ...call.headers } }
}

function queryString(query: Query = {}): string {
  const parameters = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) {
    if (value === undefined) continue
    for (const one of Array.isArray(value) ? (value as readonly string[]) : [value]) parameters.append(key, String(one))
  }
  return parameters.size === 0 ? '' : `?${parameters.toString()}`
}

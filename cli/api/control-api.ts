import type { Readable } from 'node:stream'
import { ApiProblem, parseProblem } from './api-problem.js'
import { transportError } from './daemon-unreachable.js'
import type { Endpoint } from './endpoint.js'
import { FirstAnswering } from './first-answering.js'
import type { HttpRequest, HttpResponse } from './http-client.js'

export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>

export interface RequestOptions {
  readonly query?: Query
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

/** A request body of known length: the daemon checks the length. */
export interface RawBody {
  readonly length: number
  readonly chunks: AsyncIterable<Uint8Array>
}

export type ApiResponse = HttpResponse

/**
 * A client of the control API, over the daemon's unix socket or its TCP address, or the addresses of the nodes of a fleet.
 *
 * Every method throws `ApiProblem` for an error response, `DaemonUnreachable` when the connection fails, and the
 * signal's reason when it is aborted. The client does not validate responses: the daemon validates them against the
 * same schemas. The owner calls `close`, which ends all connections at once.
 */
export class ControlApi {
  readonly #client: FirstAnswering
  readonly #headers: Readonly<Record<string, string>>

  /** @param others of the same fleet, for when that one does not answer. Its token is for all of them */
  constructor(endpoint: Endpoint, ...others: readonly Endpoint[]) {
    this.#client = new FirstAnswering([endpoint, ...others])
    const token = endpoint.kind === 'address' ? endpoint.token : undefined
    this.#headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  }

  /** The one that was asked last. */
  get endpoint(): Endpoint {
    return this.#client.endpoint
  }

  get<T>(path: string, options: RequestOptions = {}): Promise<T> {
    return this.#requestJson('GET', path, undefined, options)
  }

  /** Undefined when the daemon answers with 404. */
  async find<T>(path: string, options: RequestOptions = {}): Promise<T | undefined> {
    try {
      return await this.get<T>(path, options)
    } catch (error) {
      if (error instanceof ApiProblem && error.status === 404) return undefined
      throw error
    }
  }

  post<T>(path: string, document: unknown, options: RequestOptions = {}): Promise<T> {
    return this.#requestJson('POST', path, document, options)
  }

  put<T>(path: string, document: unknown, options: RequestOptions = {}): Promise<T> {
    return this.#requestJson('PUT', path, document, options)
  }

  patch<T>(path: string, document: unknown, options: RequestOptions = {}): Promise<T> {
    return this.#requestJson('PATCH', path, document, options)
  }

  /** Undefined where the answer is 204. */
  delete<T = unknown>(path: string, options: RequestOptions = {}): Promise<T> {
    return this.#requestJson('DELETE', path, undefined, options)
  }

  async upload<T>(path: string, body: RawBody, options: RequestOptions = {}): Promise<T> {
    const headers = { 'content-type': 'application/octet-stream', 'content-length': String(body.length) }
    const response = await this.#request('POST', path, body.chunks, {
      ...options,
      headers: { ...options.headers, ...headers },
    })
    return await this.#readJson<T>(response, options)
  }

  /** Sends chunks as they come. Resolves when the daemon has answered, which can be before their end. */
  async send(path: string, chunks: AsyncIterable<Uint8Array>, options: RequestOptions = {}): Promise<void> {
    const headers = { ...options.headers, 'content-type': 'application/octet-stream' }
    await this.#readText(await this.#request('POST', path, chunks, { ...options, headers }), options)
  }

  /** A response whose body the caller reads or destroys. Sends GET, or POST when there is a document. */
  stream(
    path: string,
    { method = 'GET', ...options }: RequestOptions & { readonly method?: 'GET' | 'POST' } = {},
    document?: unknown,
  ): Promise<ApiResponse> {
    if (document === undefined) return this.#request(method, path, undefined, options)
    return this.#request('POST', path, JSON.stringify(document), withJson(options))
  }

  async close(): Promise<void> {
    await this.#client.close()
  }

  async #requestJson<T>(
    method: HttpRequest['method'],
    path: string,
    document: unknown,
    options: RequestOptions,
  ): Promise<T> {
    const response =
      document === undefined
        ? await this.#request(method, path, undefined, options)
        : await this.#request(method, path, JSON.stringify(document), withJson(options))
    return await this.#readJson<T>(response, options)
  }

  async #readJson<T>(response: ApiResponse, options: RequestOptions): Promise<T> {
    const text = await this.#readText(response, options)
    return (text === '' ? undefined : JSON.parse(text)) as T
  }

  async #readText(response: ApiResponse, options: RequestOptions): Promise<string> {
    try {
      return await textOf(response.body)
    } catch (error) {
      options.signal?.throwIfAborted()
      throw transportError(error, this.endpoint)
    }
  }

  async #request(
    method: HttpRequest['method'],
    path: string,
    body: HttpRequest['body'],
    options: RequestOptions,
  ): Promise<ApiResponse> {
    let response: ApiResponse
    try {
      response = await this.#client.request({
        method,
        path: path + queryString(options.query),
        headers: { accept: 'application/json', ...this.#headers, ...options.headers },
        body,
        signal: options.signal,
      })
    } catch (error) {
      options.signal?.throwIfAborted()
      throw transportError(error, this.endpoint)
    }
    if (response.statusCode >= 300) throw parseProblem(response.statusCode, await this.#readText(response, options))
    return response
  }
}

/** As `text` of node:stream/consumers, whose iterator takes ten times as long for a short answer. */
function textOf(body: Readable): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    body
      .setEncoding('utf8')
      .on('data', (chunk: string) => (text += chunk))
      .once('end', () => resolve(text))
      .once('error', reject)
      .once('close', () => reject(new Error('the answer was cut short')))
  })
}

function withJson(options: RequestOptions): RequestOptions {
  return { ...options, headers: { 'content-type': 'application/json', ...options.headers } }
}

function queryString(query: Query = {}): string {
  const parameters = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) {
    if (value === undefined) continue
    for (const one of Array.isArray(value) ? (value as readonly string[]) : [value]) parameters.append(key, String(one))
  }
  return parameters.size === 0 ? '' : `?${parameters.toString()}`
}

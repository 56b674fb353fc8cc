import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createHash } from 'node:crypto'
import { once } from 'node:events'

export interface FakeRequest {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
  /** What the `:name` parts of the route stood for, decoded. */
  readonly parameters: Readonly<Record<string, string>>
}

/** What is kept of a body; more is only read. In bytes. */
const LONGEST_BODY = 16 * 1024 * 1024

type Handler = (request: FakeRequest, response: ServerResponse) => unknown

/**
 * A control API of canned answers on a unix socket. A handler returns the document to answer with, throws a
 * `FakeProblem`, or writes to the response itself and returns undefined. A request that no route was made for is
 * answered with 500, and makes `close` reject.
 */
export class FakeApi {
  readonly requests: FakeRequest[] = []
  readonly #routes: { method: string; pattern: RegExp; handler: Handler }[] = []
  readonly #unknown: string[] = []
  #server: Server | undefined

  constructor(readonly socket: string) {
    this.on('GET /v1/resources/:digest', () => notFound('such data'))
  }

  /** Later routes go before earlier ones: a test overrides what its fixture set up. */
  on(route: string, handler: Handler): this {
    const [method = '', path = ''] = route.split(' ')
    const pattern = new RegExp(`^${path.replace(/:([a-z]+)/g, '(?<$1>[^/]+)')}$`)
    this.#routes.unshift({ method, pattern, handler })
    return this
  }

  async listen(): Promise<this> {
    this.#server = createServer((request, response) => void this.#answer(request, response))
    this.#server.listen(this.socket)
    await once(this.#server, 'listening')
    return this
  }

  /** Breaks every connection, as a daemon that dies. */
  async stop(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (!server) return
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }

  async close(): Promise<void> {
    await this.stop()
    if (this.#unknown.length > 0) throw new Error(`no route was made for ${this.#unknown.join(', ')}`)
  }

  /** `METHOD path` of everything asked, names decoded. */
  get asked(): string[] {
    return this.requests.map(({ method, path }) => `${method} ${decodeURIComponent(path)}`)
  }

  /** The JSON body of the only request of that kind. */
  sent(route: string): unknown {
    const found = this.requests.filter((_one, index) => this.asked[index] === route)
    if (found.length !== 1) throw new Error(`${route} was asked ${found.length} times, among ${this.asked.join(', ')}`)
    return JSON.parse(found[0]!.body.toString())
  }

  async #answer(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    let kept = 0
    for await (const chunk of message as AsyncIterable<Buffer>)
      if ((kept += chunk.length) <= LONGEST_BODY) chunks.push(chunk)
    const url = new URL(message.url ?? '/', 'http://stagerd')
    const method = message.method ?? ''
    for (const route of this.#routes) {
      const match = route.method === method ? route.pattern.exec(url.pathname) : null
      if (!match) continue
      const parameters = Object.fromEntries(
        Object.entries(match.groups ?? {}).map(([key, value]) => [key, decodeURIComponent(value)]),
      )
      const { headers } = message
      const body = Buffer.concat(chunks)
      const request = { method, path: url.pathname, query: url.searchParams, headers, body, parameters }
      this.requests.push(request)
      await this.#handle(route.handler, request, response)
      return
    }
    this.#unknown.push(`${method} ${decodeURIComponent(url.pathname)}`)
    problem(response, new FakeProblem(500, 'no-route', 'the fake has no such route'))
  }

  async #handle(handler: Handler, request: FakeRequest, response: ServerResponse): Promise<void> {
    try {
      const document = await handler(request, response)
      if (document === undefined) return
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(document))
    } catch (error) {
      if (!(error instanceof FakeProblem)) throw error
      problem(response, error)
    }
  }
}

export class FakeProblem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
  ) {
    super(detail)
  }
}

function problem(response: ServerResponse, { status, code, message }: FakeProblem): void {
  const document = { type: 'about:blank', title: code, status, detail: message, code }
  response.writeHead(status, { 'content-type': 'application/problem+json' }).end(JSON.stringify(document))
}

export function notFound(what: string): never {
  throw new FakeProblem(404, 'not-found', `there is no ${what}`)
}

/** An upload that the daemon would take: the digest is checked as it does. */
export function takeResource({ body, query, headers }: FakeRequest): unknown {
  const sha256 = createHash('sha256').update(body).digest('hex')
  if (query.get('sha256') !== sha256 || headers['content-length'] !== String(body.length))
    throw new FakeProblem(400, 'bad-digest', 'the digest or the length is another')
  return { sha256, length: body.length, compression: 'gzip', entries: 1 }
}

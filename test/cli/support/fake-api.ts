import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createHash } from 'node:crypto'
import { once } from 'node:events'

export interface FakeRequest {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
  /** The values of the `:name` parameters of the route, decoded. */
  readonly parameters: Readonly<Record<string, string>>
}

/** Bytes of a body that are stored; the rest is discarded. */
const MAX_BODY = 16 * 1024 * 1024

type Handler = (request: FakeRequest, response: ServerResponse) => unknown

/**
 * A control API with stubbed responses on a unix socket. A handler returns the document to send, throws a
 * `FakeProblem`, or writes to the response itself and returns undefined. A request without a route gets status 500, and
 * `close` rejects.
 */
export class FakeApi {
  readonly requests: FakeRequest[] = []
  readonly #routes: { method: string; pattern: RegExp; handler: Handler }[] = []
  readonly #unknown: string[] = []
  #server: Server | undefined

  constructor(readonly socket: string) {
    this.on('GET /v1/resources/:digest', () => notFound('such data'))
  }

  /** Later routes take precedence, so that a test can override those of its fixture. */
  on(route: string, handler: Handler): this {
    const [method = '', path = ''] = route.split(' ')
    const pattern = new RegExp(`^${path.replace(/:([a-z]+)/g, '(?<$1>[^/]+)')}$`)
    this.#routes.unshift({ method, pattern, handler })
    return this
  }

  async listen(): Promise<this> {
    this.#server = createServer((request, response) => void this.#respond(request, response))
    this.#server.listen(this.socket)
    await once(this.#server, 'listening')
    return this
  }

  /** Breaks all connections, like a daemon that crashes. */
  async stop(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (!server) return
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }

  async close(): Promise<void> {
    await this.stop()
    if (this.#unknown.length > 0) throw new Error(`requests without a route: ${this.#unknown.join(', ')}`)
  }

  /** `METHOD path` of every request, with decoded names. */
  get requested(): string[] {
    return this.requests.map(({ method, path }) => `${method} ${decodeURIComponent(path)}`)
  }

  /** The JSON body of the only request to that route. */
  sent(route: string): unknown {
    const found = this.requests.filter((_one, index) => this.requested[index] === route)
    if (found.length !== 1)
      throw new Error(`expected one request ${route}, found ${found.length} among ${this.requested.join(', ')}`)
    return JSON.parse(found[0]!.body.toString())
  }

  async #respond(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    let kept = 0
    try {
      for await (const chunk of message as AsyncIterable<Buffer>)
        if ((kept += chunk.length) <= MAX_BODY) chunks.push(chunk)
    } catch {
      // The client has ended the request.
      return
    }
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

/** Accepts an upload, and checks its digest and length like the daemon. */
export function takeResource({ body, query, headers }: FakeRequest): unknown {
  const sha256 = createHash('sha256').update(body).digest('hex')
  if (query.get('sha256') !== sha256 || headers['content-length'] !== String(body.length))
    throw new FakeProblem(400, 'bad-digest', 'the digest or the length does not match')
  return { sha256, length: body.length, compression: 'gzip', entries: 1 }
}

import { once } from 'node:events'
import { createServer, request as httpRequest, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { buffer } from 'node:stream/consumers'

/** What is done to a request, or to its answer. */
export interface Lie {
  /** The method and the path, without its version and its query. */
  readonly route: RegExp
  /** How many requests it is told to; default: one. */
  readonly times?: number
  /** The Engine is asked so much later. */
  readonly afterMs?: number
  /** The answer, instead of asking the Engine. */
  readonly instead?: { readonly status: number; readonly body?: string }
  /** The text of the answer. `undefined`: it is cut in the middle. */
  readonly alter?: (text: string) => string | undefined
  /** The connection is closed when the answer has begun. */
  readonly cut?: true
}

/** Between stagerd and a real Engine, as a socket of its own. It passes on everything, but for the lie that it is told. */
export class LyingProxy {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #lie: Lie | undefined
  /** How often the lie was told. */
  told = 0

  private constructor(
    readonly socket: string,
    private readonly engine: string,
  ) {
    // docker-modem writes what a container is created with into the URL, too.
    this.#server = createServer(
      { maxHeaderSize: 2 ** 20 },
      (request, response) => void this.#answer(request, response).catch(() => response.destroy()),
    )
      .on('upgrade', (request, socket: Socket, head: Buffer) => this.#passOn(request, socket, head))
      .on('connection', (socket: Socket) => this.#keep(socket))
  }

  /** @param engine the socket of the Engine */
  static async listen(socket: string, engine = '/var/run/docker.sock'): Promise<LyingProxy> {
    const proxy = new LyingProxy(socket, engine)
    await once(proxy.#server.listen(socket), 'listening')
    return proxy
  }

  tell(lie: Lie | undefined): void {
    this.#lie = lie
    this.told = 0
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #lieFor({ method, url = '' }: IncomingMessage): Lie | undefined {
    const lie = this.#lie
    if (!lie?.route.test(`${method} ${url.replace(/\?.*/, '').replace(/^\/v\d[^/]*/, '')}`)) return undefined
    if (this.told >= (lie.times ?? 1)) return undefined
    this.told += 1
    return lie
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => undefined)
    const lie = this.#lieFor(request)
    if (lie?.afterMs !== undefined) await delay(lie.afterMs)
    if (lie?.instead) {
      request.resume()
      response.writeHead(lie.instead.status, { 'content-type': 'application/json' }).end(lie.instead.body)
      return
    }
    const answer = await this.#ask(request, response)
    const { statusCode = 502, headers } = answer
    if (lie?.cut) {
      response.writeHead(statusCode, headers).flushHeaders()
      await delay(300)
      response.destroy()
      answer.destroy()
      return
    }
    if (!lie?.alter) {
      response.writeHead(statusCode, headers).flushHeaders()
      answer.on('error', () => response.destroy()).pipe(response)
      return
    }
    const told = (await buffer(answer)).toString()
    const altered = lie.alter(told)
    if (altered !== undefined) {
      response.writeHead(statusCode, { 'content-type': 'application/json' }).end(altered)
      return
    }
    response.writeHead(statusCode, { 'content-type': 'application/json', 'content-length': told.length })
    response.write(told.slice(0, told.length / 2), () => response.destroy())
  }

  #ask(request: IncomingMessage, response: ServerResponse): Promise<IncomingMessage> {
    const { method, url, headers } = request
    return new Promise((resolve, reject) => {
      const asked = httpRequest({ socketPath: this.engine, method, path: url, headers }, resolve)
      asked.on('error', reject).on('socket', (socket: Socket) => this.#keep(socket))
      response.on('close', () => asked.destroy())
      request.pipe(asked)
    })
  }

  /** A connection that the Engine takes over. */
  #passOn({ method, url, rawHeaders }: IncomingMessage, socket: Socket, head: Buffer): void {
    const engine = this.#keep(connect({ path: this.engine, allowHalfOpen: true }))
    const lines = rawHeaders.map((text, index) => (index % 2 === 0 ? `${text}: ` : `${text}\r\n`))
    engine.write(`${method} ${url} HTTP/1.1\r\n${lines.join('')}\r\n`)
    engine.write(head)
    engine.pipe(socket)
    socket.pipe(engine)
    engine.on('close', () => socket.destroy())
    socket.on('close', () => engine.destroy())
  }

  /** A connection to the Engine is given here again with each request on it. */
  #keep(socket: Socket): Socket {
    if (this.#sockets.has(socket)) return socket
    this.#sockets.add(socket)
    return socket.on('error', () => undefined).on('close', () => this.#sockets.delete(socket))
  }
}

import { connect, type Socket } from 'node:net'

/** A TCP connection for requests that no HTTP client would send. */
export class RawClient {
  #received = Buffer.alloc(0)
  readonly #closed: Promise<void>

  private constructor(readonly socket: Socket) {
    socket.on('data', (chunk) => (this.#received = Buffer.concat([this.#received, chunk])))
    // Being reset is one of the things that a test may wait for.
    socket.on('error', () => undefined)
    this.#closed = new Promise((resolve) => socket.once('end', () => resolve()).once('close', () => resolve()))
  }

  static async connect(url: string): Promise<RawClient> {
    const { hostname, port } = new URL(url)
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
    const client = new RawClient(socket)
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    return client
  }

  /** Header lines are joined with CRLF; the body follows as it is. */
  send(headers: readonly string[], body: string | Buffer = ''): this {
    this.socket.write(`${headers.join('\r\n')}\r\n\r\n`)
    if (body.length > 0) this.socket.write(body)
    return this
  }

  get received(): string {
    return this.#received.toString('latin1')
  }

  /** Statuses of the responses so far, in order. */
  get statuses(): readonly number[] {
    return [...this.received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status))
  }

  /** Resolves when the server has ended its side. Rejects when it has not in time. */
  async closed(deadlineMs = 5_000): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`still open after ${deadlineMs} ms: ${this.received}`)), deadlineMs)
    })
    await Promise.race([this.#closed, late]).finally(() => clearTimeout(timer))
  }

  end(): void {
    this.socket.destroy()
  }
}

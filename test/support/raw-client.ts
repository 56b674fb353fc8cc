import { connect, type Socket } from 'node:net'

/** A TCP connection, for requests that no HTTP client sends. */
export class RawClient {
  #received: Buffer[] = []
  readonly #closed: Promise<void>
  #isClosed = false

  private constructor(readonly socket: Socket) {
    socket.on('data', (chunk) => this.#received.push(chunk))
    // A test may expect a reset.
    socket.on('error', () => undefined)
    this.#closed = new Promise<void>((resolve) => socket.once('end', resolve).once('close', () => resolve()))
    void this.#closed.then(() => (this.#isClosed = true))
  }

  /** @param place a URL, or the path of a socket */
  static async connect(place: string): Promise<RawClient> {
    const socket = connect({ ...addressOf(place), allowHalfOpen: true })
    const client = new RawClient(socket)
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    return client
  }

  /** Send header lines, joined with CRLF, and then the body as it is. */
  send(headers: readonly string[], body: string | Buffer = ''): this {
    this.socket.write(`${headers.join('\r\n')}\r\n\r\n`)
    if (body.length > 0) this.socket.write(body)
    return this
  }

  get bytes(): Buffer {
    this.#received = [Buffer.concat(this.#received)]
    return this.#received[0]!
  }

  get received(): string {
    return this.bytes.toString('latin1')
  }

  /** The complete responses so far, in order, delimited by their Content-Length. */
  get answers(): readonly { readonly status: number; readonly body: Buffer }[] {
    const answers: { status: number; body: Buffer }[] = []
    for (let rest = this.bytes; ;) {
      const end = rest.indexOf('\r\n\r\n')
      const head = rest.subarray(0, Math.max(0, end)).toString('latin1')
      const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? Number.NaN)
      const body = rest.subarray(end + 4, end + 4 + length)
      if (end < 0 || body.length !== length) return answers
      answers.push({ status: Number(head.slice('HTTP/1.1 '.length, 'HTTP/1.1 200'.length)), body })
      rest = rest.subarray(end + 4 + length)
    }
  }

  /** The statuses of the responses so far, in order. */
  get statuses(): readonly number[] {
    return [...this.received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status))
  }

  /** Whether the server has closed its side. Not known of a client that does not read. */
  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Resolves when the server has closed its side. Rejects after `deadlineMs`. */
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

function addressOf(place: string) {
  if (place.startsWith('/')) return { path: place }
  const { hostname, port } = new URL(place)
  return { host: hostname, port: Number(port) }
}

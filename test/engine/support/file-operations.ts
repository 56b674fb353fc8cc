import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { type SeenInside, seenInside } from './seen-inside.js'

/** A line for test/fixtures/stagers/file-operations.pl: name and fields. Paths are absolute, bytes as latin1. */
export type FileOperation = readonly [name: string, ...fields: (string | number)[]]

/** Waits for one file-operations.pl to connect, and has it perform operations and say what it sees. */
export class FileOperations {
  readonly #server = createServer()
  readonly #connected = once(this.#server, 'connection')
  #connection: Socket | undefined
  #answers: AsyncIterator<string> | undefined

  /** Standard error of the program, for the text of an error. */
  errors = ''
  /** Tells why the program is gone. */
  whyEnded: () => Promise<string> = () => Promise.resolve(this.errors)

  async listen(address: string): Promise<{ readonly port: number; readonly url: string }> {
    this.#server.listen(0, address)
    await once(this.#server, 'listening')
    const { port } = this.#server.address() as AddressInfo
    return { port, url: `http://${address}:${port}` }
  }

  async connected(signal: AbortSignal): Promise<void> {
    const gone = once(signal, 'abort').then(async () => {
      throw new Error(`the program did not connect: ${await this.whyEnded()}`)
    })
    const [socket] = (await Promise.race([this.#connected, gone])) as [Socket]
    this.#connection = socket
    this.#answers = createInterface({ input: socket, crlfDelay: Infinity })[Symbol.asyncIterator]()
  }

  /** Returns the failed operations as `name:errno`. */
  async perform(operations: readonly FileOperation[]): Promise<readonly string[]> {
    const { failures } = await this.#ask(operations)
    return failures
  }

  /** What the program sees below a directory (absolute). */
  async describe(directory: string): Promise<SeenInside> {
    const { lines } = await this.#ask([['describe', directory]])
    return seenInside(lines)
  }

  close(): void {
    this.#connection?.destroy()
    this.#server.close()
  }

  async #ask(operations: readonly FileOperation[]) {
    const requests = operations.map(([name, ...fields]) =>
      [name, ...fields.map((field) => hex(String(field)))].join(' '),
    )
    this.#connection?.write(`${[...requests, '.'].join('\n')}\n`)
    const lines: string[] = []
    for (;;) {
      const { value } = (await this.#answers?.next()) as { value: string | undefined }
      if (value === undefined) throw new Error(`the program has ended: ${await this.whyEnded()}`)
      if (value.startsWith('done'))
        return {
          lines,
          failures: value
            .split(' ')
            .slice(1)
            .filter((each) => each !== ''),
        }
      lines.push(value)
    }
  }
}

function hex(field: string): string {
  return Buffer.from(field, 'latin1').toString('hex')
}

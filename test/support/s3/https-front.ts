import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { request, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { HeadObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import type { BucketOptions } from '../../../daemon/store/s3/bucket.js'
import type { CertificateFiles } from '../certificates.js'

/**
 * An https server in front of that of the tests. It adds what Swift does not have, and no other server that a distribution or npm
 * has: empty objects are written under the condition that there is none of the name (`If-None-Match: *`), with the answers of AWS.
 */
export class HttpsFront {
  readonly #server: Server
  readonly #client: S3Client
  /** Of conditional writes: one after the other. */
  #last = Promise.resolve()

  private constructor(
    private readonly behind: BucketOptions & { readonly endpoint: string },
    files: { readonly cert: Buffer; readonly key: Buffer },
  ) {
    this.#client = new S3Client({ ...behind, credentials: behind.credentials!, forcePathStyle: true })
    this.#server = createServer(files, (asked, answer) => {
      const answered = asked.method === 'PUT' && asked.headers['if-none-match'] === '*' ? this.#create : this.#passOn
      answered.call(this, asked, answer).catch(() => answer.destroy())
    })
  }

  static async open(behind: BucketOptions & { readonly endpoint: string }, files: CertificateFiles) {
    const [cert, key] = await Promise.all([readFile(files.certificate), readFile(files.key)])
    const front = new HttpsFront(behind, { cert, key })
    front.#server.listen(0, '127.0.0.1')
    await once(front.#server, 'listening')
    return front
  }

  get options(): BucketOptions & { readonly endpoint: string } {
    return { ...this.behind, endpoint: `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}` }
  }

  async close(): Promise<void> {
    this.#server.close()
    this.#server.closeAllConnections()
    await once(this.#server, 'close')
    this.#client.destroy()
  }

  /** The host that the client has signed stays in the headers. */
  async #passOn(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    const { method, url, headers } = asked
    const passed = request(new URL(url ?? '/', this.behind.endpoint), { method, headers })
    const [response] = await Promise.all([once(passed, 'response'), pipeline(asked, passed)])
    const answered = response[0] as IncomingMessage
    answer.writeHead(answered.statusCode ?? 502, answered.headers)
    await pipeline(answered, answer)
  }

  /** The signature covers the condition, so that this is a request of its own. */
  async #create(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    const { pathname } = new URL(asked.url ?? '/', this.behind.endpoint)
    const object = {
      Bucket: this.behind.bucket,
      Key: decodeURIComponent(pathname).slice(this.behind.bucket.length + 2),
    }
    const created = this.#last.then(async () => {
      const isThere = await this.#client.send(new HeadObjectCommand(object)).then(
        () => true,
        () => false,
      )
      if (!isThere) await this.#client.send(new PutObjectCommand({ ...object, Body: Buffer.alloc(0) }))
      return !isThere
    })
    this.#last = created.then(
      () => undefined,
      () => undefined,
    )
    asked.resume()
    const code = (await created) ? 200 : 412
    const body = code === 200 ? '' : '<Error><Code>PreconditionFailed</Code><Message>It is there.</Message></Error>'
    answer.writeHead(code, { 'content-type': 'application/xml' }).end(body)
  }
}

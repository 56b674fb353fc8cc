import { request } from 'node:http'
import { json, text } from 'node:stream/consumers'
import type { IncomingMessage } from 'node:http'

/** A minimal HTTP client for Unix sockets, so that the client adds little to the measurements. */
export class UnixHttp {
  constructor(readonly socketPath: string) {}

  async get<T>(path: string): Promise<T> {
    return (await json(await this.open('GET', path))) as T
  }

  async post<T>(path: string, document: unknown): Promise<T> {
    return (await json(await this.open('POST', path, document))) as T
  }

  /** Resolves with a response whose body is unread; rejects for an error status. */
  open(method: string, path: string, document?: unknown): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const body = document === undefined ? undefined : JSON.stringify(document)
      const headers = body === undefined ? {} : { 'content-type': 'application/json' }
      const req = request({ socketPath: this.socketPath, method, path, headers }, (response) => {
        const { statusCode = 0 } = response
        if (statusCode < 400) resolve(response)
        else text(response).then((detail) => reject(new Error(`${method} ${path}: ${statusCode} ${detail}`)), reject)
      })
      req.on('error', reject)
      req.end(body)
    })
  }
}

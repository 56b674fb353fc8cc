import { request } from 'node:http'
import { json, text } from 'node:stream/consumers'
import type { IncomingMessage } from 'node:http'

/** HTTP over a Unix socket, as plainly as it goes: what is measured is the other side. */
export class UnixHttp {
  constructor(readonly socketPath: string) {}

  async get<T>(path: string): Promise<T> {
    return (await json(await this.open('GET', path))) as T
  }

  async post<T>(path: string, document: unknown): Promise<T> {
    return (await json(await this.open('POST', path, document))) as T
  }

  /** Resolves with the answer, its body still to be read; rejects when it is an error. */
  open(method: string, path: string, document?: unknown): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const body = document === undefined ? undefined : JSON.stringify(document)
      const headers = body === undefined ? {} : { 'content-type': 'application/json' }
      const asked = request({ socketPath: this.socketPath, method, path, headers }, (answer) => {
        const { statusCode = 0 } = answer
        if (statusCode < 400) resolve(answer)
        else text(answer).then((said) => reject(new Error(`${method} ${path}: ${statusCode} ${said}`)), reject)
      })
      asked.on('error', reject)
      asked.end(body)
    })
  }
}

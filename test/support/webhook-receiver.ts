import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { atTestEnd } from './at-test-end.js'

export interface ReceivedMessage {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** Answers one request. Not to answer at all is possible, too. */
type Answer = (response: ServerResponse) => void

export const answering =
  (status: number, headers: Record<string, string> = {}): Answer =>
  (response) =>
    response.writeHead(status, headers).end('{}')

/** A receiver of webhooks on loopback. It answers with `answers` in turn, and then with 204. */
export class WebhookReceiver {
  readonly received: ReceivedMessage[] = []

  private constructor(
    readonly url: string,
    readonly answers: Answer[],
  ) {}

  static async open(...answers: Answer[]): Promise<WebhookReceiver> {
    const server = createServer((request, response) => {
      void text(request).then((body) => {
        receiver.received.push({ path: request.url ?? '', headers: request.headers, body })
        const answer = receiver.answers.shift() ?? answering(204)
        answer(response)
      })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    atTestEnd(() => {
      server.closeAllConnections()
      server.close()
    })
    const receiver = new WebhookReceiver(`http://127.0.0.1:${(server.address() as AddressInfo).port}/told`, answers)
    return receiver
  }

  get ids(): (string | undefined)[] {
    return this.received.map(({ headers }) => header(headers, 'webhook-id'))
  }
}

/** As a receiver checks it, by the text of the specification. */
export function isSignedWith(secret: string, { headers, body }: ReceivedMessage): boolean {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  const signed = [header(headers, 'webhook-id'), header(headers, 'webhook-timestamp'), body].join('.')
  const wanted = createHmac('sha256', key).update(signed, 'utf8').digest('base64')
  return (header(headers, 'webhook-signature') ?? '').split(' ').includes(`v1,${wanted}`)
}

function header(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name]
  return typeof value === 'string' ? value : undefined
}

import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'

export interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly { key: string; value: { stringValue?: string; intValue?: number } }[]
  readonly status: { readonly code: number; readonly message?: string }
}

interface Export {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: Span['attributes'] }
    readonly scopeSpans: readonly { readonly spans: readonly Span[] }[]
  }[]
}

/** Takes traces over HTTP. The caller closes it. */
export async function otlpCollector() {
  const requests: { url: string; headers: IncomingHttpHeaders; body: Export }[] = []
  const server = createServer((request, response) => {
    const isJson = request.headers['content-type'] === 'application/json'
    void (isJson ? json(request) : request.resume().toArray()).then((body) => {
      requests.push({ url: request.url!, headers: request.headers, body: body as Export })
      response.writeHead(200, { 'content-type': request.headers['content-type'] }).end(isJson ? '{}' : '')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const spans = () =>
    requests.flatMap(({ body }) =>
      body.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((one) => one.spans)),
    )
  const close = () => {
    server.closeAllConnections()
    server.close()
  }
  return { requests, spans, close, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

export type OtlpCollector = Awaited<ReturnType<typeof otlpCollector>>

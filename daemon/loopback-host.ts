import type { IncomingMessage, ServerResponse } from 'node:http'

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/i

/**
 * Whether a request on a loopback port was meant for it. A page of another site can have its own name lead to 127.0.0.1,
 * and then reads answers as its own; the Host header still says what the browser was asked for.
 */
export function isForLoopback(request: Pick<IncomingMessage, 'headers'>): boolean {
  return LOOPBACK.test(request.headers.host ?? '')
}

/** 421, as RFC 9110 has it for a request that another server was meant by. */
export function refuseForeignHost(response: ServerResponse): void {
  response.writeHead(421, { 'content-type': 'application/problem+json', connection: 'close' })
  const detail = 'This port answers to localhost alone: ask for it by that name, or by a loopback address.'
  response.end(
    JSON.stringify({ type: 'about:blank', title: 'Misdirected Request', status: 421, detail, code: 'foreign-host' }),
  )
}

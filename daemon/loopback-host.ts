import type { IncomingMessage, ServerResponse } from 'node:http'

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/i

/**
 * Whether the Host header names the loopback interface. This prevents DNS rebinding: a web page can resolve its own host
 * name to 127.0.0.1, and the browser then treats our answers as same-origin, but it still sends that name as the Host.
 */
export function isForLoopback(request: Pick<IncomingMessage, 'headers'>): boolean {
  return LOOPBACK.test(request.headers.host ?? '')
}

/** 421 Misdirected Request, see RFC 9110, section 15.5.20. */
export function refuseForeignHost(response: ServerResponse): void {
  response.writeHead(421, { 'content-type': 'application/problem+json', connection: 'close' })
  const detail = 'This port serves only localhost: use that name or a loopback address as the host.'
  response.end(
    JSON.stringify({ type: 'about:blank', title: 'Misdirected Request', status: 421, detail, code: 'foreign-host' }),
  )
}

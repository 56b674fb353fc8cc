import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { problem, PROBLEM_TYPE } from './problems.js'

/** Answers a request that cannot be parsed as every other one is answered, and ends its connection. */
export function answerBadHttp(socket: Socket, code: string | undefined): void {
  if (!socket.writable || socket.bytesWritten > 0) {
    socket.destroy()
    return
  }
  const found = problemOfCode(code)
  const body = JSON.stringify(found)
  const head = [
    `HTTP/1.1 ${found.status} ${STATUS_CODES[found.status] ?? ''}`,
    `content-type: ${PROBLEM_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}

function problemOfCode(code: string | undefined) {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return problem(431, 'headers-too-large', 'The headers of the request are too large: send less than 16 KiB.')
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return problem(408, 'request-timeout', 'The request did not arrive in time: send it at once.')
    default:
      return problem(400, 'bad-http', 'The request is not valid HTTP/1.1: send it with an HTTP client.')
  }
}

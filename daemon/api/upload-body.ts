import type { IncomingMessage } from 'node:http'
import { RequestBody } from '../http/request-body.js'

/** An upload that sends nothing for this long is ended, in milliseconds. A slow one that makes progress is not. */
const STALL_MS = 60_000

export function uploadBody(request: IncomingMessage, stallMs = STALL_MS): RequestBody {
  return new RequestBody(request, { bytes: 1, windowMs: stallMs })
}

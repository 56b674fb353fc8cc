import type { ServerResponse } from 'node:http'
import type { ImageEvent, MadeEvent } from '../../../daemon/documents/image.js'
import type { Package } from '../../../daemon/documents/package.js'
import { aPackage } from './documents.js'

/** A handler that answers as the daemon does while it makes a package of an image. */
export function imageEvents(...events: readonly ImageEvent[]) {
  return (_request: unknown, response: ServerResponse): undefined => {
    response.writeHead(200, { 'content-type': 'application/x-ndjson' })
    response.end(events.map((event) => `${JSON.stringify(event)}\n`).join(''))
  }
}

/** The last event of one that succeeds. */
export function anImage(changes: Partial<Package> = {}, more: Partial<MadeEvent> = {}): MadeEvent {
  const image = `registry.example.com/shop@sha256:${'1'.repeat(64)}`
  return { event: 'made', package: aPackage({ state: 'uploaded', ...changes }), image, user: '', exposed: [], ...more }
}

import type { ServerResponse } from 'node:http'
import type { LogLine, Staging } from '../../../daemon/documents/staging.js'

/** Writes server-sent events in the format of the daemon. */
export class EventStream {
  constructor(readonly response: ServerResponse) {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': hello\n\n')
  }

  lines(...lines: readonly LogLine[]): this {
    for (const line of lines) this.response.write(`event: line\nid: ${line.seq}\ndata: ${JSON.stringify(line)}\n\n`)
    return this
  }

  end(staging: Staging): void {
    this.response.end(`event: end\ndata: ${JSON.stringify(staging)}\n\n`)
  }

  /** Breaks the connection like a daemon that crashes. Written data still arrives. */
  cut(): void {
    this.response.socket?.destroySoon()
  }
}

import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { whenAborted } from '../../base/when-aborted.js'

/** The body of a response: one event a line, as JSON. */
export class EventLines<Event> {
  readonly body = new PassThrough()

  /** @param signal aborted when there is no reader any more; what is written after that is discarded */
  constructor(private readonly signal: AbortSignal) {
    whenAborted(signal, () => this.body.destroy())
    this.body.on('error', () => undefined)
  }

  /** Resolves when there is room for more, so a slow client slows the program. */
  async write(event: Event): Promise<void> {
    if (this.signal.aborted || this.body.destroyed || this.body.writableEnded) return
    if (this.body.write(`${JSON.stringify(event)}\n`)) return
    await once(this.body, 'drain', { signal: this.signal }).catch(() => undefined)
  }

  end(): void {
    this.body.end()
  }
}

import { createInterface } from 'node:readline'
import type { UnixHttp } from './unix-http.js'

/**
 * When networks ended, by the Engine's own events: asking it again and again would slow what is measured.
 *
 * Lives until `close`.
 */
export class NetworkEnds {
  readonly #ended = new Map<string, number>()
  readonly #waiting = new Map<string, (at: number) => void>()
  readonly #close: () => void

  private constructor(lines: AsyncIterable<string>, close: () => void) {
    this.#close = close
    void this.#read(lines)
  }

  static async watch(engine: UnixHttp): Promise<NetworkEnds> {
    const filters = encodeURIComponent(JSON.stringify({ type: ['network'], event: ['destroy'] }))
    const events = await engine.open('GET', `/events?filters=${filters}`)
    return new NetworkEnds(createInterface({ input: events }), () => events.destroy())
  }

  /** When the network of that name had ended, as `performance.now()` tells time. */
  endOf(name: string): Promise<number> {
    const at = this.#ended.get(name)
    if (at !== undefined) return Promise.resolve(at)
    return new Promise((resolve) => this.#waiting.set(name, resolve))
  }

  close(): void {
    this.#close()
  }

  async #read(lines: AsyncIterable<string>): Promise<void> {
    try {
      for await (const line of lines) {
        const { Actor } = JSON.parse(line) as { Actor: { Attributes: { name: string } } }
        const now = performance.now()
        this.#ended.set(Actor.Attributes.name, now)
        this.#waiting.get(Actor.Attributes.name)?.(now)
      }
    } catch {
      // Closed.
    }
  }
}

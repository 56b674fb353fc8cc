import { linesOf } from '../../base/lines-of.js'
import type { UnixHttp } from './unix-http.js'

/**
 * Records when containers are removed, from the events of the Engine: polling would slow the measured work down.
 *
 * LIFECYCLE: `watch`, then `close`.
 */
export class ContainerDestroyEvents {
  readonly #destroyed = new Map<string, number>()
  readonly #waiting = new Map<string, (at: number) => void>()
  readonly #close: () => void

  private constructor(lines: AsyncIterable<string>, close: () => void) {
    this.#close = close
    void this.#read(lines)
  }

  static async watch(engine: UnixHttp): Promise<ContainerDestroyEvents> {
    const filters = encodeURIComponent(JSON.stringify({ type: ['container'], event: ['destroy'] }))
    const events = await engine.open('GET', `/events?filters=${filters}`)
    return new ContainerDestroyEvents(linesOf(events), () => events.destroy())
  }

  /** Waits for the removal of a container. Returns its time, as of `performance.now()`. */
  destroyedAt(name: string): Promise<number> {
    const at = this.#destroyed.get(name)
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
        this.#destroyed.set(Actor.Attributes.name, now)
        this.#waiting.get(Actor.Attributes.name)?.(now)
      }
    } catch {
      // `close` has destroyed the stream.
    }
  }
}

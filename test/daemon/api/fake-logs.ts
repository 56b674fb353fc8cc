import { EventEmitter, once } from 'node:events'
import type { LogReader } from '../../../daemon/api/log-events.js'
import type { LogLine } from '../../../daemon/documents/staging.js'

/** One log in memory, the same for all stagings. */
export class FakeLogs implements LogReader {
  readonly #lines: LogLine[] = []
  readonly #news = new EventEmitter()
  #over = false
  followers = 0

  say(...texts: string[]): void {
    for (const text of texts)
      this.#lines.push({ seq: this.#lines.length + 1, time: '2026-01-01T00:00:00.000Z', stream: 'staging', text })
    this.#news.emit('change')
  }

  end(): void {
    this.#over = true
    this.#news.emit('change')
  }

  async *follow(
    _staging: string,
    { since, follow, signal }: { readonly since: number; readonly follow: boolean; readonly signal: AbortSignal },
  ): AsyncGenerator<LogLine> {
    this.followers += 1
    try {
      for (let seq = since; ;) {
        const line = this.#lines[seq]
        if (line) {
          seq += 1
          yield line
        } else if (this.#over || !follow || signal.aborted) return
        else await once(this.#news, 'change', { signal }).catch(() => undefined)
      }
    } finally {
      this.followers -= 1
    }
  }
}

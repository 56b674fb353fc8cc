import { EventEmitter, once } from 'node:events'
import type { LogReader } from '../../../daemon/api/log-events.js'
import type { StoredLine } from '../../../daemon/log/log-file.js'

/** One log in memory, the same for all stagings. */
export class FakeLogs implements LogReader {
  readonly #lines: StoredLine[] = []
  readonly #news = new EventEmitter()
  #over = false
  followers = 0

  say(...texts: string[]): void {
    for (const text of texts) {
      const seq = this.#lines.length + 1
      const json = JSON.stringify({ seq, time: '2026-01-01T00:00:00.000Z', stream: 'staging', text })
      this.#lines.push({ seq, json })
    }
    this.#news.emit('change')
  }

  end(): void {
    this.#over = true
    this.#news.emit('change')
  }

  async *read(
    _staging: string,
    { since, follow, signal }: { readonly since: number; readonly follow: boolean; readonly signal: AbortSignal },
  ): AsyncGenerator<readonly StoredLine[]> {
    this.followers += 1
    try {
      for (let seq = since; ;) {
        const lines = this.#lines.slice(seq)
        if (lines.length > 0) {
          seq += lines.length
          yield lines
        } else if (this.#over || !follow || signal.aborted) return
        else await once(this.#news, 'change', { signal }).catch(() => undefined)
      }
    } finally {
      this.followers -= 1
    }
  }
}

import type { KnownContentOptions } from '../known-content.js'

/** What is known about the content of objects: each content has an ETag of its own. */
export class KnownObjects {
  readonly #damaged = new Map<string, Set<string>>()
  readonly #observer: KnownContentOptions['observer']

  constructor({ damaged = [], observer }: KnownContentOptions) {
    for (const [sha256, etag] of damaged) this.#damaged.set(sha256, new Set([etag]))
    this.#observer = observer
  }

  isDamaged(sha256: string, etag: string): boolean {
    return this.#damaged.get(sha256)?.has(etag) ?? false
  }

  /** All of its content was read or written. A look of long ago does not say that it is sound again. */
  sound(sha256: string, etag: string): void {
    if (!this.isDamaged(sha256, etag)) this.#observer?.judged(sha256, 'sound', etag)
  }

  /** What was damaged for an earlier read is not any more. */
  soundAgain(sha256: string, etag: string): void {
    this.#damaged.get(sha256)?.delete(etag)
    this.sound(sha256, etag)
  }

  damaged(sha256: string, etag: string): void {
    this.#damaged.set(sha256, (this.#damaged.get(sha256) ?? new Set()).add(etag))
    this.#observer?.judged(sha256, 'damaged', etag)
  }

  /** The blob has a new object. */
  written(sha256: string, etag: string): void {
    this.#damaged.delete(sha256)
    this.sound(sha256, etag)
  }

  deleted(sha256: string): void {
    this.#damaged.delete(sha256)
    this.#observer?.deleted(sha256)
  }
}

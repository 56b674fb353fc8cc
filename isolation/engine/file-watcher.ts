import { watch } from 'node:fs'

/** Rings when one of the files changes: the kernel notifies of changes of cgroup event files like of any other. */
export class FileWatcher {
  #rung = false
  #wake: () => void = () => undefined

  /** @param signal takes the watches away again, after a last ring */
  constructor(files: readonly string[], signal: AbortSignal) {
    const ring = () => {
      this.#rung = true
      this.#wake()
    }
    for (const file of files) {
      try {
        watch(file, { signal, persistent: false }, ring).on('error', () => undefined)
      } catch {
        // Gone already, or out of watches: the interval is there.
      }
    }
    signal.addEventListener('abort', ring, { once: true })
  }

  /** Resolves at once if it has rung since the last time. */
  async changeOrTimeout(milliseconds: number): Promise<void> {
    if (!this.#rung)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, milliseconds)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    this.#rung = false
  }
}

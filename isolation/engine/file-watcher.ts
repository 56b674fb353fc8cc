import { watch } from 'node:fs'

/** Waits for changes of files by inotify, which the kernel supports for the event files of cgroups too. */
export class FileWatcher {
  #changed = false
  #wake: () => void = () => undefined

  /** @param signal ends the watching, and counts as a last change */
  constructor(files: readonly string[], signal: AbortSignal) {
    const change = () => {
      this.#changed = true
      this.#wake()
    }
    for (const file of files) {
      try {
        watch(file, { signal, persistent: false }, change).on('error', () => undefined)
      } catch {
        // The file is gone, or no watch is left: then the timeout alone has to do.
      }
    }
    signal.addEventListener('abort', change, { once: true })
  }

  /** Resolves at once if a file has changed since the last call. */
  async changeOrTimeout(milliseconds: number): Promise<void> {
    if (!this.#changed)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, milliseconds)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    this.#changed = false
  }
}

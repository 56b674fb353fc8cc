import type { Io } from './io.js'

/**
 * Passes every key on as it is typed, Ctrl-C and Ctrl-Z included. Returns what restores the terminal; idempotent. Does
 * nothing where standard input is no terminal.
 */
export function enterRawMode({ stdin }: Pick<Io, 'stdin'>): () => void {
  if (stdin.isTTY !== true || !stdin.setRawMode) return () => undefined
  stdin.setRawMode(true)
  let isRaw = true
  return () => {
    if (isRaw) stdin.setRawMode?.(false)
    isRaw = false
  }
}

/** A tarball that is ready to be sent. Whoever got it disposes of it. */
export interface Tarball {
  /** In hexadecimal. */
  readonly sha256: string
  /** In bytes. */
  readonly length: number
  /** From the start, each time. */
  readonly read: () => AsyncIterable<Uint8Array>
  readonly dispose: () => Promise<void>
}

/** In bytes: large enough that a copy does not live on system calls. */
export const CHUNK = 1024 * 1024

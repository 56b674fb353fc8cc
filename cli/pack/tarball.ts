/** A tarball that is ready for upload. The owner calls `dispose`. */
export interface Tarball {
  /** In hexadecimal. */
  readonly sha256: string
  /** In bytes. */
  readonly length: number
  /** Reads it from the start on each call. */
  readonly read: () => AsyncIterable<Uint8Array>
  /** What the user should know about its content, one sentence each. */
  readonly notes?: readonly string[]
  readonly dispose: () => Promise<void>
}

/** Size of reads, in bytes: large enough to keep the cost of system calls low. */
export const CHUNK = 1024 * 1024

import type { Readable } from 'node:stream'
import type { LayerSource } from '../launch-plan.js'

/** A package's validated tree on disk, shared read-only by every launch. */
export interface Layer {
  /** Directory below the layers directory, short: `<id>/tree`, so that overlay option strings stay small. */
  readonly relativePath: string
  /** sha256:… of the uncompressed layer tar, as Docker computes it. */
  readonly diffId: string
  /** Length of that tar in bytes. */
  readonly tarLength: number
  /** The deterministic layer tar (whiteouts as .wh. entries), made afresh from the tree. */
  openTar(): Promise<Readable>
}

export interface LayerCache {
  /** Absolute path that `relativePath`s are relative to. */
  readonly directory: string
  /**
   * Extracted and validated once, whatever number of callers wait. From the call on, and until `letGo`, it is not
   * discarded, if there is a holder.
   */
  materialise(source: LayerSource, signal: AbortSignal, holder?: string): Promise<Layer>
  /** Idempotent. */
  letGo(holder: string): void
}

import type { Readable } from 'node:stream'
import type { LayerSource } from '../launch-plan.js'

/** What the archive of an image needs of a layer. */
export interface ImageLayer {
  /** sha256:… of the uncompressed layer tar, as Docker computes it. */
  readonly diffId: string
  /** Length of that tar in bytes. */
  readonly tarLength: number
  /** The deterministic layer tar (whiteouts as .wh. entries), made afresh. */
  openTar(): Promise<Readable>
}

/** A package's validated tree on disk, shared read-only by every launch. */
export interface Layer {
  /** Directory below the layers directory, short: `<id>/tree`, so that overlay option strings stay small. */
  readonly relativePath: string
  /**
   * The layer as a part of a root image. An overlay needs nothing of it, so its tar is made and hashed when it is first
   * asked for, once, whatever number of callers wait; and not while nobody holds the layer.
   *
   * Throws `BadInput` (`root-too-large`) before anything is read, where the Engine would have to write out too much.
   */
  asImageLayer(signal: AbortSignal): Promise<ImageLayer>
}

export interface LayerCache {
  /** Absolute path that `relativePath`s are relative to. */
  readonly directory: string
  /**
   * Extracted and validated once, whatever number of callers wait. From the call on, and until `release`, it is not
   * discarded, if there is a holder.
   */
  materialise(source: LayerSource, signal: AbortSignal, holder?: string): Promise<Layer>
  /** Idempotent. */
  release(holder: string): void
}

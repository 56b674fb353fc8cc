import type { Readable } from 'node:stream'
import type { Holder } from '../../base/leases.js'
import type { MappedOwners } from '../archive/mapped-owners.js'
import type { LayerSource } from '../launch-plan.js'

/** What the archive of an image needs to know of a layer. */
export interface ImageLayer {
  /** The digest of the uncompressed layer tar, `sha256:…`. */
  readonly diffId: string
  /** The length of that tar in bytes. */
  readonly tarLength: number
  /** Generates the tar; it is always the same. Whiteouts are `.wh.` entries. */
  openTar(): Promise<Readable>
}

/** The validated tree of a package on disk, shared read-only by launches. */
export interface Layer {
  /** `<id>/tree`, below the directory of the cache. Short, because mount options are limited to one page. */
  readonly relativePath: string
  /**
   * The layer as a layer of a root image. Overlays do not need it, so its tar is generated and hashed at the first call,
   * once for all concurrent callers. The caller must hold the layer.
   *
   * Throws `BadInput` (`root-too-large`), before anything is read, if the Engine would write too much.
   */
  asImageLayer(signal: AbortSignal): Promise<ImageLayer>
}

export interface LayerCache {
  /** Absolute path, to which `relativePath`s are relative. */
  readonly directory: string
  /**
   * Extracts and validates the package, once for all concurrent callers. With a holder, the layer is not discarded from
   * the call until the holder releases. With owners, it is a layer for containers with them, apart from that for others.
   */
  materialise(source: LayerSource, signal: AbortSignal, holder?: Holder, owners?: MappedOwners): Promise<Layer>
}

/** Is told of damage on the disk. */
export interface LayerObserver {
  /** Once for each layer. @param how the end of a sentence about it */
  damaged(id: string, how: string): void
  /** The layer is not there any more. */
  gone(id: string): void
}

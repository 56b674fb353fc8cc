import type { Readable } from 'node:stream'

export interface ImagePlan {
  /** UUID. As with launches, a sweep spares it if it is live. */
  readonly id: string
  /** `name:tag` or `name@digest`, optionally with the host of the registry, or the id of an image. */
  readonly reference: string
  /** The archive contains neither these paths nor anything below them. */
  readonly leaveOut: readonly string[]
}

export interface ImageHooks {
  /** Called with each line of progress of a pull. */
  progress?(line: string): void
  /** Called with the bytes that a pull has transferred so far. */
  transferred?(bytes: number): void
}

export interface OpenImage {
  /** A gzipped tar of full paths, without entries that a package cannot contain (see engine/image-tree.ts). */
  readonly archive: Readable
  readonly config: ImageConfig
  /** `name@digest` of the registry, or the id where no registry knows the image: unlike a tag, it names this content only. */
  readonly pinned: string
}

/** The configuration with which the image runs. */
export interface ImageConfig {
  /** `KEY=VALUE` */
  readonly environment: readonly string[]
  /** Empty for the root. */
  readonly workingDirectory: string
  readonly entrypoint: readonly string[]
  readonly command: readonly string[]
  /** `USER` or `USER:GROUP`; empty for root. */
  readonly user: string
  /** What the image documents, such as 80/tcp; in order. */
  readonly exposed: readonly string[]
}

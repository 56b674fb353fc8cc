import type { Capability } from '../metadata.js'

/** How a package is made: what goes in, what to run, and what to say of the result. */
export interface BuildScript {
  readonly name: string
  /** Undefined: that in which it is built. */
  readonly namespace: string | undefined
  readonly version: string | undefined
  readonly description: string | undefined
  readonly provides: readonly Capability[]
  /** Of the package; there while it is built, too. */
  readonly depends: readonly Capability[]
  /** There while it is built, and no longer. */
  readonly buildDepends: readonly Capability[]
  readonly environment: Readonly<Record<string, string>>
  readonly sources: readonly Source[]
  /** Files that stand beside the script. */
  readonly includeFiles: readonly string[]
  /** Absolute paths that are not to be in the package. */
  readonly cleanup: readonly string[]
  /** The directory whose content is the package's root; undefined: whatever the build has changed. */
  readonly snapshotPath: string | undefined
  /** A Docker image whose filesystem the package is: then nothing is built. */
  readonly image: string | undefined
  /** Shell; empty with an image. */
  readonly build: string
}

export interface Source {
  readonly url: string
  /** In lower-case hexadecimal. */
  readonly sha256: string | undefined
  /** As weak as it is, some scripts have no other. */
  readonly sha1: string | undefined
}

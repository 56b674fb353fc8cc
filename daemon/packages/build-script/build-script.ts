import type { Capability } from '../metadata.js'

/** A parsed build script: the inputs, the build commands, and the metadata of the resulting package. */
export interface BuildScript {
  readonly name: string
  /** Undefined: the namespace in which the script is built. */
  readonly namespace: string | undefined
  readonly version: string | undefined
  readonly description: string | undefined
  readonly provides: readonly Capability[]
  /** Dependencies of the package; also available during the build. */
  readonly depends: readonly Capability[]
  /** Dependencies of the build only. */
  readonly buildDepends: readonly Capability[]
  readonly environment: Readonly<Record<string, string>>
  readonly sources: readonly Source[]
  /** Paths of files, relative to the directory of the script. */
  readonly includeFiles: readonly string[]
  /** Absolute paths to leave out of the package. */
  readonly cleanup: readonly string[]
  /** The directory that becomes the package's root; undefined: the package is everything that the build changed. */
  readonly snapshotPath: string | undefined
  /** A Docker image whose filesystem becomes the package; then nothing is built. */
  readonly image: string | undefined
  /** Shell commands; empty with an image. */
  readonly build: string
}

export interface Source {
  readonly url: string
  /** Lower-case hexadecimal. */
  readonly sha256: string | undefined
  /** Weak, but some scripts have no other digest. */
  readonly sha1: string | undefined
}

import type { OutputStream } from '../../isolation/isolation.js'
import type { Limits, PublishedPort } from '../../isolation/launch-plan.js'
import type { Capability } from '../packages/metadata.js'
import type { Ref } from '../store/repositories.js'

export interface RunRequest {
  readonly package: Ref
  /** Replaces the START_COMMAND of the package. */
  readonly command?: string
  /** Whether the program gets the input of the client. */
  readonly input: boolean
  /** In /etc/passwd of the package; undefined for the default. */
  readonly user?: string
  /** Overrides the environment of the package. */
  readonly environment: Readonly<Record<string, string>>
  readonly publish: readonly PublishedPort[]
  readonly egress: boolean
  readonly limits?: Partial<Limits>
}

/** A run of a droplet, which is no package. It runs as the user of all runs, by its own startup script, without input. */
export interface DropletRunRequest extends Pick<RunRequest, 'environment' | 'publish' | 'egress' | 'limits'> {
  /** Digest of what `DropletUploads` has stored. */
  readonly droplet: string
  /** Of the application, for itself and for messages. */
  readonly name: string
  /** Whose packages and policies it is resolved with. */
  readonly namespace: string
  readonly dependencies: readonly Capability[]
  /** The value of VCAP_SERVICES: JSON. */
  readonly services: string
}

export interface RunOutput {
  /** Reading pauses until the promise resolves. */
  output(stream: OutputStream, chunk: Buffer): Promise<void>
}

export interface RunEnding {
  readonly exitCode?: number
  readonly reason: string
  /** What to do next, if the output shows it. */
  readonly hint?: string
}

export interface RunningProgram {
  /** UUID. */
  readonly id: string
  /** Of its package or droplet. */
  readonly namespace: string
  /** Host ports, in the order of `publish`. */
  readonly ports: readonly number[]
  /** Resolves when the program has ended and all resources of the run have been removed. */
  readonly ended: Promise<RunEnding>
  /** Passes `chunks` to a program that gets input, then closes its standard input. Resolves at the latest with the end. */
  input(chunks: AsyncIterable<Uint8Array>): Promise<void>
  /** SIGTERM, and SIGKILL after a grace period. Idempotent. */
  stop(): void
}

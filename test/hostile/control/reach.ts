/** What a tenant has of its own, to be valid but for what it reaches for. References are full names. */
export interface Own {
  readonly namespace: string
  /** Ready, with data. */
  readonly package: string
  readonly stager: string
  readonly pipeline: string
  /** The digest of data that it has uploaded. */
  readonly data: string
  /** A tarball. */
  readonly tarball: Buffer
  /** An exchange file with its package. */
  readonly exported: Buffer
  /** One without a manifest. */
  readonly bare: Buffer
  /** A name that nothing has. */
  readonly name: () => string
}

export interface Sent {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly url: string
  /** A buffer is sent as it is, anything else as JSON. */
  readonly body?: unknown
}

/** What a reference can be to. */
export type Kind = 'package' | 'job' | 'stagpipe' | 'staging' | 'run' | 'webhook' | 'resource' | 'namespace'

/** A request of a tenant that has, in one place, a reference to something of another tenant. All else is its own. */
export interface Reach {
  readonly what: string
  readonly kind: Kind
  readonly ask: (theirs: string, own: Own) => Sent
}

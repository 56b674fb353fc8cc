export type VerifiedKind = 'blob' | 'layer'

export interface Verification {
  readonly kind: VerifiedKind
  /** The digest of a blob, or the id of a layer. */
  readonly id: string
  /** When its content was last verified. */
  readonly at: Date
  /** The state of the file that was damaged then; undefined if the content was sound. */
  readonly damaged: string | undefined
}

/** What is known of the content of blobs and layers, across restarts. */
export interface VerificationRepository {
  all(): Promise<readonly Verification[]>
  /** Replaces those of the same things, and forgets others, in one transaction. */
  record(changed: readonly Verification[], forgotten: readonly Pick<Verification, 'kind' | 'id'>[]): Promise<void>
}

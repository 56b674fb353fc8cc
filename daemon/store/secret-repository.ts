/**
 * Secrets as they are kept: sealed. Each method is one transaction, which is durable when the method resolves.
 *
 * Those of a staging are stored with it (`StagingLedger.submit`), and deleted in the transaction that ends it.
 */
export interface SecretRepository {
  /** Of a staging that has not ended; undefined for none. */
  ofStaging(uuid: string): Promise<Uint8Array | undefined>
  /** Of all these stagers, by name. Those of a stager that does not exist any more are gone. */
  ofStagers(uuids: readonly string[]): Promise<readonly SealedSecret[]>
  /** Replaces one of the same name. Throws `NotFound` (`stager-not-found`) and `BadInput` (`too-many-secrets`). */
  put(secret: Omit<SealedSecret, 'updatedAt'>): Promise<SealedSecret>
  /** Throws `NotFound` (`secret-not-found`). */
  delete(stagerUuid: string, name: string): Promise<SealedSecret>
}

export interface SealedSecret {
  readonly stagerUuid: string
  readonly name: string
  readonly sealed: Uint8Array
  readonly updatedAt: string
}

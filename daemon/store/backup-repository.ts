/**
 * What a copy of the database has. None has what is about nodes and about the database itself. `backup` leaves out what may not be
 * stored elsewhere or can be made again: secrets of stagings and stagers, tasks of Cloud Foundry, outputs of stagers; stagings that wait
 * for a source of such a task are cancelled in it. `everything` has all of that, secrets as they are sealed.
 */
export type CopyExtent = 'backup' | 'everything'

/** The database as a whole. */
export interface BackupRepository {
  /** The version of its schema. */
  readonly schema: number
  /**
   * Writes a copy of the database to `file`, which must not exist. Running stagings have no owner in it.
   *
   * @returns digests of the blobs that the copy refers to
   */
  copyTo(file: string, extent?: CopyExtent): Promise<readonly string[]>
  /**
   * UUIDs of the stagings that have ended in the database in `file`, which is migrated in place. Throws `BadInput` (`bad-backup`,
   * `backup-too-new`).
   */
  endedIn(file: string): ReadonlySet<string>
  /**
   * Throws `Conflict`: `node-busy` if a staging or a bootstrap is under way; `store-not-empty` if there is anything that
   * would be lost, and `replace` is false.
   */
  assertReplaceable(replace: boolean): Promise<void>
  /**
   * Replaces everything by the content of the database in `file`, in one transaction. It may be of an older version; it is
   * migrated in place.
   *
   * Throws what `assertReplaceable` throws, and `BadInput` (`bad-backup`, `backup-too-new`).
   */
  replaceBy(file: string, replace: boolean): Promise<Restored>
}

export interface Restored {
  readonly packages: number
  readonly stagers: number
  readonly pipelines: number
  readonly stagings: number
  /** Stagings that had not ended. */
  readonly unfinished: number
}

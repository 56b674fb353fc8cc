import type { BlobStore } from '../store/blob-store.js'
import type { SqlStore } from '../store/sql/store.js'
import type { LogPlace } from './log-places.js'

/** All that one of the two nodes has. Its state directory is locked, so that no daemon uses it meanwhile. */
export interface Side {
  /** For people: "SQLite in /var/lib/stagerd". */
  readonly name: string
  readonly store: Pick<SqlStore, 'backups' | 'nodes' | 'references'>
  readonly blobs: BlobStore
  readonly logs: LogPlace
  /** Of bootstraps. They are files on the node in any case. */
  readonly bootstrapLogs: LogPlace
}

/** What happens to files: before it is done, and when it is done. */
export interface Watch {
  /** May throw an error of the system: then that is the answer, and nothing is done. */
  before(operation: Operation): void
  after(operation: Operation): void
}

export type OperationName =
  'create' | 'mkdir' | 'write' | 'truncate' | 'fsync' | 'rename' | 'unlink' | 'rmdir' | 'attributes'

export interface Operation {
  readonly name: OperationName
  /** From the root of the file system. */
  readonly path: string
  /** Of a rename. */
  readonly target?: string
  /** Of a write. Valid until the call returns. */
  readonly data?: Buffer
  readonly offset?: number
}

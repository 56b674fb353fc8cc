/** What is noted about a request while it is answered, for its line in the log. */
export interface AuditNotes {
  /** What it changes, as full names. */
  targets: readonly string[]
  /** The origins of the receivers that it names: paths of webhooks can be secret. */
  receivers?: readonly string[]
  /** The code of its problem document. */
  problem?: string
  written?: boolean
}

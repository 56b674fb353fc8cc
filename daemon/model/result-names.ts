/** Names of the history of packages, each declared once, for the model and the documents of the API. */

export const RESULT_ORIGINS = ['staging', 'rollback', 'kept'] as const
export type OriginKind = (typeof RESULT_ORIGINS)[number]

export const CHANGE_KINDS = ['added', 'changed', 'removed', 'metadata'] as const
export type ChangeKind = (typeof CHANGE_KINDS)[number]

export const ENTRY_FIELDS = ['kind', 'content', 'size', 'target', 'mode', 'uid', 'gid', 'mtime', 'attributes'] as const
export type EntryField = (typeof ENTRY_FIELDS)[number]

/** Of a package. */
export const METADATA_FIELDS = ['dependencies', 'provides', 'environment', 'templates', 'manifest'] as const
export type MetadataField = (typeof METADATA_FIELDS)[number]

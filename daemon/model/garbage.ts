/** What the garbage collector removes. */
export const GARBAGE_KINDS = ['blob', 'layer', 'image', 'cache', 'staging', 'log'] as const
export type GarbageKind = (typeof GARBAGE_KINDS)[number]

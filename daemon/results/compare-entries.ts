import { unpackEntry, type ArchiveEntries, type ArchiveEntry, type PackedEntry } from '../../isolation/archive-entry.js'
import type { Removal } from '../../isolation/launch-plan.js'
import { CHANGE_KINDS, ENTRY_FIELDS, type ChangeKind, type EntryField } from '../model/result-names.js'

/** What a package does to the layers below it, and what it holds. */
export interface Tree {
  readonly entries: ArchiveEntries
  readonly removals: readonly Removal[]
}

/** `changed`: another kind or other content. `metadata`: anything else. */
export interface EntryChange {
  readonly change: ChangeKind
  readonly path: string
  readonly before: ArchiveEntry | RemovedEntry | undefined
  readonly after: ArchiveEntry | RemovedEntry | undefined
  /** Those that differ; empty for what is added or removed. */
  readonly fields: readonly EntryField[]
}

/** What the package hides of the layers below it. */
export interface RemovedEntry {
  readonly kind: 'removal'
}

export interface Comparison {
  readonly counts: Readonly<Record<ChangeKind, number>>
  /** By path; not more than the limit. */
  readonly changes: readonly EntryChange[]
  readonly truncated: boolean
}

/** @param limit of the changes that are listed; all are counted */
export function compareTrees(before: Tree, after: Tree, limit: number): Comparison {
  const counts = { added: 0, changed: 0, removed: 0, metadata: 0 }
  const changes: EntryChange[] = []
  const [hiddenBefore, hiddenAfter] = [hiddenBy(before), hiddenBy(after)]
  for (const path of pathsOf(before.entries, after.entries, hiddenBefore, hiddenAfter)) {
    const [old, made] = [before.entries.get(path), after.entries.get(path)]
    const [hid, hides] = [hiddenBefore.has(path), hiddenAfter.has(path)]
    const change = hid === hides && old === made ? undefined : compare(path, entryOf(old, hid), entryOf(made, hides))
    if (!change) continue
    counts[change.change] += 1
    if (changes.length < limit) changes.push(change)
  }
  return { counts, changes, truncated: total(counts) > changes.length }
}

function total(counts: Readonly<Record<ChangeKind, number>>): number {
  return CHANGE_KINDS.reduce((sum, kind) => sum + counts[kind], 0)
}

function hiddenBy({ removals }: Tree): ReadonlySet<string> {
  return new Set(
    removals.map(({ path }) =>
      path.replace(/^\//, '').replace(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    ),
  )
}

function pathsOf(...all: readonly { keys(): Iterable<string> }[]): string[] {
  return [...new Set(all.flatMap((one) => [...one.keys()]))].sort()
}

function entryOf(packed: PackedEntry | undefined, isHidden: boolean): ArchiveEntry | RemovedEntry | undefined {
  if (packed !== undefined) return unpackEntry(packed)
  return isHidden ? { kind: 'removal' } : undefined
}

function compare(path: string, before: EntryChange['before'], after: EntryChange['after']): EntryChange | undefined {
  const name = textOf(path)
  if (!before) return after && { change: 'added', path: name, before, after, fields: [] }
  if (!after) return { change: 'removed', path: name, before, after, fields: [] }
  const fields = differing(before, after)
  if (fields.length === 0) return undefined
  const isOther = fields.includes('kind') || fields.includes('content') || fields.includes('size')
  return { change: isOther ? 'changed' : 'metadata', path: name, before, after, fields }
}

/** The time of a directory changes with each entry in it, and says nothing else. */
function differing(before: ArchiveEntry | RemovedEntry, after: ArchiveEntry | RemovedEntry): EntryField[] {
  if (before.kind === 'removal' || after.kind === 'removal') return before.kind === after.kind ? [] : ['kind']
  return ENTRY_FIELDS.filter((field) => {
    if (field === 'mtime' && before.kind === 'directory' && after.kind === 'directory') return false
    return before[field] !== after[field]
  })
}

/** Names are bytes; those that are no text get replacement characters. */
export function textOf(name: string): string {
  return Buffer.from(name, 'latin1').toString('utf8')
}

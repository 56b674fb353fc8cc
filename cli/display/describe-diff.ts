import type { ResultDiff } from '../../daemon/documents/result.js'
import { printable } from './printable.js'
import { formatBytes } from './progress.js'

type Change = ResultDiff['changes'][number]
type Entry = NonNullable<Change['before']>

const LETTERS: Readonly<Record<Change['change'], string>> = { added: 'A', changed: 'C', removed: 'D', metadata: 'M' }

/** One line for each entry, those of the metadata of the package, and a sum. */
export function describeDiff(diff: ResultDiff): string {
  const { added, changed, removed, metadata, package_metadata: fields } = diff
  const to = diff.to === undefined ? 'what it has now' : `result ${diff.to}`
  const heading = `${diff.package}: from result ${diff.from} to ${to}`
  const sum = `${added} added, ${changed} changed, ${removed} removed, ${metadata} with other metadata`
  if (added + changed + removed + metadata + fields.length === 0) return `${heading}\nNothing differs.`
  return [
    heading,
    ...diff.changes.map(line),
    ...(diff.truncated ? ['... (more)'] : []),
    ...fields.map(
      ({ field, before, after }) =>
        `${field}: ${printable(JSON.stringify(before))} -> ${printable(JSON.stringify(after))}`,
    ),
    sum,
  ].join('\n')
}

function line({ change, path, fields, before, after }: Change): string {
  const details = before && after ? fields.filter((field) => field !== 'content').map(detail(before, after)) : []
  const note =
    after?.kind === 'removal' ? [' (hides what is below)'] : details.length > 0 ? [` (${details.join(', ')})`] : []
  return [`${LETTERS[change]} /${printable(path)}`, ...note].join('')
}

function detail(before: Entry, after: Entry): (field: Change['fields'][number]) => string {
  return (field) => {
    switch (field) {
      case 'content':
      case 'attributes':
        return field
      case 'size':
        return `size ${formatBytes(before.size ?? 0)} -> ${formatBytes(after.size ?? 0)}`
      default:
        return `${field} ${printable(String(before[field] ?? '-'))} -> ${printable(String(after[field] ?? '-'))}`
    }
  }
}

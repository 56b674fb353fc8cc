import Table from 'cli-table3'
import { isUtf8 } from './charset.js'
import type { Output } from './output.js'
import { printable } from './printable.js'
import type { Shortening } from './shorten.js'

const GAP = 2
const MIN_WIDTH = 6

const NO_BORDER = {
  top: '', 'top-mid': '', 'top-left': '', 'top-right': '',
  bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '',
  left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '',
} // prettier-ignore

export interface Column {
  readonly head: string
  /** Undefined for what must be read whole, such as a state. */
  readonly shorten?: Shortening
}

/**
 * A table without borders. On a terminal, the values that can be shortened become shorter until the table fits, the
 * widest column first. What tells the rows apart stays different, even if the table then is wider than the terminal.
 * Elsewhere the width has no limit.
 */
export function table(
  { io, style }: Output,
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  emptyMessage: string,
): string {
  if (rows.length === 0) return emptyMessage
  const values = columns.map((_column, index) => rows.map((row) => printable(row[index] ?? '')))
  const ellipsis = isUtf8(io.env) ? '…' : '..'
  const cells = io.stdout.isTTY ? fit(columns, values, io.stdout.columns ?? 80, ellipsis) : values
  const made = new Table({
    chars: NO_BORDER,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': GAP },
    head: columns.map(({ head }) => style('bold', head)),
  })
  made.push(...rows.map((_row, index) => cells.map((column) => column[index] ?? '')))
  return made
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}

/** The values by column, shortened where the columns do not fit into `available` characters. */
function fit(
  columns: readonly Column[],
  values: readonly (readonly string[])[],
  available: number,
  ellipsis: string,
): readonly (readonly string[])[] {
  const cells = [...values]
  const widths = columns.map(({ head }, index) => widthOf(head, values[index] ?? []))
  const open = new Set(columns.flatMap(({ shorten }, index) => (shorten ? [index] : [])))
  for (;;) {
    const excess = widths.reduce((sum, width) => sum + width + GAP, -GAP) - available
    if (excess <= 0 || open.size === 0) return cells
    const [widest = 0, next = widest] = [...open].sort((a, b) => (widths[b] ?? 0) - (widths[a] ?? 0))
    const column = columns[widest]
    const width = widths[widest] ?? 0
    const lead = next === widest ? excess : Math.max(1, width - (widths[next] ?? 0))
    const shorter = column && shortened(column, values[widest] ?? [], width, Math.min(excess, lead), ellipsis)
    if (shorter) {
      cells[widest] = shorter
      widths[widest] = widthOf(column.head, shorter)
    } else open.delete(widest)
  }
}

/** Takes off as much of the width as is possible, up to `wanted`. Undefined when nothing is. */
function shortened(
  { head, shorten }: Column,
  values: readonly string[],
  width: number,
  wanted: number,
  ellipsis: string,
): readonly string[] | undefined {
  if (!shorten) return undefined
  const different = new Set(values).size
  for (let less = wanted; less >= 1; less = Math.floor(less / 2)) {
    const target = width - less
    if (target < Math.max(MIN_WIDTH, head.length)) continue
    const made = values.map((value) => shorten.cut(value, target, ellipsis))
    const isDistinct = !shorten.distinct || new Set(made).size === different
    if (isDistinct && made.every((value) => value.length <= target)) return made
  }
  return undefined
}

function widthOf(head: string, values: readonly string[]): number {
  return values.reduce((widest, value) => Math.max(widest, value.length), head.length)
}

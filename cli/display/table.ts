import Table from 'cli-table3'
import type { Output } from './output.js'

const GAP = 2
const MIN_WIDTH = 6

const NO_BORDER = {
  top: '', 'top-mid': '', 'top-left': '', 'top-right': '',
  bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '',
  left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '',
} // prettier-ignore

/**
 * A table without borders. On a terminal, it fits the width: the widest columns shrink first, and the first column,
 * which identifies the row, shrinks last.
 */
export function table(
  { io, style }: Output,
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  emptyMessage: string,
): string {
  if (rows.length === 0) return emptyMessage
  const natural = heads.map((head, column) => Math.max(head.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const widths = io.stdout.isTTY === true ? fit(natural, io.stdout.columns ?? 80) : natural
  const made = new Table({
    chars: NO_BORDER,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': GAP },
    colWidths: widths.map((width) => width + GAP),
    head: heads.map((head) => style('bold', head)),
  })
  made.push(...rows.map((row) => [...row]))
  return made
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}

function fit(natural: readonly number[], columns: number): number[] {
  const widths = [...natural]
  let excess = widths.reduce((sum, width) => sum + width + GAP, 0) - columns
  while (excess > 0) {
    const widestOther = Math.max(...widths.slice(1))
    const column = widestOther > MIN_WIDTH ? widths.indexOf(widestOther, 1) : 0
    if ((widths[column] ?? 0) <= MIN_WIDTH) break
    widths[column] = (widths[column] ?? 0) - 1
    excess -= 1
  }
  return widths
}

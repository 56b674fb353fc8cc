import Table from 'cli-table3'
import type { Row } from './row.js'

export function printRows(rows: readonly Row[]): void {
  const table = new Table({
    head: ['work', 'ours', 'beside', 'other', 'ratio', 'target', ''],
    style: { head: [], border: [] },
  })
  for (const { work, ours, beside, other, ratio, target, unit, met } of rows)
    table.push([work, `${ours} ${unit}`, beside, `${other} ${unit}`, ratio, target, met ? 'met' : 'not met'])
  console.log(`\n${table.toString()}`)
}

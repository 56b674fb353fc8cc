import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import Table from 'cli-table3'
import { benchHostOf, type BenchHost } from './host.js'
import { benchLaunch } from './launch.js'
import type { Row } from './row.js'

const BENCHES: Readonly<Record<string, (host: BenchHost) => Promise<Row[]>>> = { launch: benchLaunch }

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: 'string' } } })
  const host = benchHostOf(process.env)
  const rows: Row[] = []
  for (const name of positionals.length > 0 ? positionals : Object.keys(BENCHES)) {
    const bench = BENCHES[name]
    if (!bench) throw new Error(`there is no benchmark '${name}': choose one of ${Object.keys(BENCHES).join(', ')}.`)
    console.log(`\nMeasuring ${name}, ${host.pairs} pairs…`)
    rows.push(...(await bench(host)))
  }
  print(rows)
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(rows, undefined, 2)}\n`)
}

function print(rows: readonly Row[]): void {
  const table = new Table({ head: ['work', 'ours', 'beside', 'other', 'ratio', 'target', ''], style: { head: [] } })
  for (const { work, ours, beside, other, ratio, target, unit, met } of rows)
    table.push([work, `${ours} ${unit}`, beside, `${other} ${unit}`, ratio, target, met ? 'met' : 'not met'])
  console.log(`\n${table.toString()}`)
}

await main()

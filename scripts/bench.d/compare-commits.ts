import { readFile, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { printRows } from './print-rows.js'
import type { Row } from './row.js'
import { compareRounds, type Round } from './compare-rounds.js'

/** Arguments: for each round, the JSON file of this checkout and the JSON file of the other commit. */
async function main(): Promise<void> {
  const option = { type: 'string' } as const
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { beside: option, allowance: option, json: option },
  })
  const { beside, allowance, json } = values
  if (beside === undefined || allowance === undefined)
    throw new Error('--beside or --allowance is missing: run ./scripts/bench --against instead.')

  const files = await Promise.all(positionals.map(readRows))
  const rounds = files.flatMap((ours, i): Round[] => (i % 2 === 0 ? [{ ours, other: files[i + 1] ?? [] }] : []))
  const { rows, unmatched } = compareRounds(rounds, { beside, allowance: Number(allowance) })
  for (const work of unmatched) console.log(`not compared, because only one of the commits measures it: ${work}`)
  if (rows.length === 0) throw new Error(`this checkout and ${beside} have no benchmark in common.`)
  printRows(rows)
  if (json !== undefined) await writeFile(json, `${JSON.stringify(rows, undefined, 2)}\n`)
}

async function readRows(file: string): Promise<Row[]> {
  return JSON.parse(await readFile(file, 'utf8')) as Row[]
}

await main()

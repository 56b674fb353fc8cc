import process from 'node:process'
import Table from 'cli-table3'
import { Command, InvalidArgumentError, Option } from 'commander'
import { FLEET, peakRate, type Fleet } from './fleet.js'
import { FIGURES, type Figures } from './figures.js'
import { modelOf } from './model.js'
import { partsOf } from './parts.js'
import { simulate } from './simulation.js'

/** The program behind ./scripts/simulate, which explains the options. */
interface Options extends Pick<
  Fleet,
  'nodes' | 'slots' | 'stagingsPerDay' | 'stagingSeconds' | 'packages' | 'popularity' | 'wake'
> {
  readonly cacheGib: number
  readonly seconds: number
  readonly seed: number
}

function positive(text: string): number {
  const value = Number(text)
  if (value > 0 && value < Infinity) return value
  throw new InvalidArgumentError('It must be a number above 0.')
}

function whole(text: string): number {
  const value = Number(text)
  if (value > 0 && Number.isSafeInteger(value)) return value
  throw new InvalidArgumentError('It must be a whole number above 0.')
}

const command = new Command('simulate')
  .helpOption(false)
  .option('--nodes <n>', '', whole, FLEET.nodes)
  .option('--slots <n>', '', whole, FLEET.slots)
  .option('--stagings-per-day <n>', '', positive, FLEET.stagingsPerDay)
  .option('--staging-seconds <n>', '', positive, FLEET.stagingSeconds)
  .option('--packages <n>', '', whole, FLEET.packages)
  .option('--popularity <s>', '', positive, FLEET.popularity)
  .option('--cache-gib <n>', '', positive, FLEET.cacheGiB)
  .addOption(new Option('--wake <who>').choices(['one', 'all']).default(FLEET.wake))
  .option('--seconds <n>', '', whole, 120)
  .option('--seed <n>', '', whole, 1)

function print(fleet: Fleet, model: Figures, simulated: Figures): void {
  const checked = new Table({ head: ['', 'model', 'simulated', 'ratio'], style: { head: [], border: [] } })
  for (const name of Object.keys(FIGURES) as (keyof Figures)[])
    checked.push([FIGURES[name], short(model[name]), short(simulated[name]), short(model[name] / simulated[name])])
  console.log(checked.toString())

  const parts = new Table({
    head: ['part', 'needed', 'available', 'unit', 'gives out at', 'then'],
    style: { head: [], border: [] },
    colWidths: [null, null, null, null, null, 60],
    wordWrap: true,
  })
  for (const { name, needed, available, unit, remedy } of partsOf(fleet, model))
    parts.push([name, short(needed), short(available), unit, `${short(available / needed)} times this`, remedy])
  console.log(parts.toString())
}

const short = (value: number) => (Number.isFinite(value) ? String(Number(value.toPrecision(3))) : '')

const { seconds, seed, cacheGib, ...given } = command.parse().opts<Options>()
const fleet: Fleet = { ...FLEET, ...given, cacheGiB: cacheGib }
console.log(
  `${fleet.nodes} nodes, ${fleet.slots} slots each, ${fleet.stagingsPerDay} stagings a day, ` +
    `${short(peakRate(fleet))} a second in the busiest hour, ${fleet.packages} packages, wake ${fleet.wake}`,
)
try {
  print(fleet, modelOf(fleet), simulate(fleet, { seconds, seed }))
} catch (error) {
  if (!(error instanceof RangeError)) throw error
  console.error(`simulate: ${error.message}`)
  process.exitCode = 1
}

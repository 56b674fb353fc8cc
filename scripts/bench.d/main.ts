import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { benchCloudFoundry } from './cloud-foundry.js'
import { benchCores } from './cores.js'
import { benchHostOf, pairsOf, required } from './host.js'
import { benchData } from './data.js'
import { benchFleet } from './fleet.js'
import { benchAdmission } from './fleet-admission.js'
import { benchIdle } from './idle.js'
import { benchLaunch } from './launch.js'
import { benchLaunchAhead } from './launch-ahead.js'
import { benchPack } from './pack.js'
import { printRows } from './print-rows.js'
import { benchResolve } from './resolve.js'
import { benchRestage } from './restage.js'
import { benchRestageApplication } from './restage-application.js'
import { benchReuse } from './reuse.js'
import type { Row } from './row.js'
import { benchSnapshot } from './snapshot.js'
import { benchThroughput } from './throughput.js'

/** A benchmark reads the environment only when it runs, because `resolve`, `reuse`, `pack`, `cores` and `admission` need less of it. */
const BENCHMARKS: Readonly<Record<string, (environment: NodeJS.ProcessEnv) => Promise<Row[]>>> = {
  idle: (environment) => benchIdle(benchHostOf(environment), Number(environment.BENCH_IDLE_SECONDS ?? 600)),
  launch: async (environment) => [
    ...(await benchLaunch(benchHostOf(environment))),
    ...(await benchLaunchAhead(benchHostOf(environment))),
  ],
  throughput: (environment) => benchThroughput(benchHostOf(environment)),
  snapshot: (environment) => benchSnapshot(benchHostOf(environment)),
  data: (environment) => benchData(benchHostOf(environment)),
  restage: async (environment) => [
    ...(await benchRestageApplication(benchHostOf(environment))),
    ...(await benchRestage(benchHostOf(environment))),
  ],
  'cloud-foundry': (environment) => benchCloudFoundry(benchHostOf(environment), environment),
  resolve: (environment) => benchResolve({ root: required(environment, 'BENCH_ROOT'), pairs: pairsOf(environment) }),
  reuse: (environment) => benchReuse({ pairs: pairsOf(environment) }),
  pack: (environment) => benchPack({ root: required(environment, 'BENCH_ROOT'), pairs: pairsOf(environment) }),
  admission: (environment) => benchAdmission({ pairs: pairsOf(environment) }),
  fleet: (environment) => benchFleet(benchHostOf(environment)),
  cores: (environment) => benchCores({ root: required(environment, 'BENCH_ROOT'), pairs: pairsOf(environment) }),
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: 'string' } } })
  const rows: Row[] = []
  for (const name of positionals.length > 0 ? positionals : Object.keys(BENCHMARKS)) {
    const bench = BENCHMARKS[name]
    if (!bench) throw new Error(`there is no benchmark '${name}': choose one of ${Object.keys(BENCHMARKS).join(', ')}.`)
    console.log(`\nMeasuring ${name}, ${pairsOf(process.env)} pairs…`)
    rows.push(...(await bench(process.env)))
  }
  printRows(rows)
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(rows, undefined, 2)}\n`)
}

await main()

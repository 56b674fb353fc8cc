import { execa } from 'execa'
import type { ResolveTimes } from './resolve-once.js'
import { limitRowOf, median, round, type Row } from './row.js'

const LOADED_MS = 5
const COLD_MS = 300

/** Packages of the distribution. The one whose closure is closest to ours in size is used. */
const APT_PACKAGES = ['gimp', 'xfce4', 'libreoffice-writer', 'libgtk-3-dev']

/**
 * Compares resolutions among 100 000 packages, each pair in a new process, with `apt-get -s install` of a closure of
 * similar size. The ratio is only an orientation: apt also reads its lists and considers more constraints.
 */
export async function benchResolve({ root, pairs }: { root: string; pairs: number }): Promise<Row[]> {
  const comparable = await comparableClosure()
  const measured: { ours: ResolveTimes; other: number }[] = []
  for (let turn = 0; turn < pairs; turn++) {
    const other = turn % 2 === 0 ? await simulateInstall(comparable.name) : undefined
    const ours = await resolveOnce(root)
    measured.push({ ours, other: other?.ms ?? (await simulateInstall(comparable.name)).ms })
  }
  const of = (key: keyof ResolveTimes) => median(measured.map(({ ours }) => ours[key]))
  console.log(
    [
      `${of('packages')} packages take ${round(of('packagesMegabytes'), 1)} MB of memory, their index ${round(of('indexMegabytes'), 1)} MB;`,
      `an update of the index for one changed package takes ${round(of('update'), 2)} ms.`,
      `apt-get -s install ${comparable.name} is about ${comparable.count} packages here, ours about ${of('closure')}.`,
    ].join('\n'),
  )
  const row = (work: string, key: keyof ResolveTimes, limit: number) =>
    limitRowOf(
      { work, beside: `apt-get -s install ${comparable.name} (${comparable.count})`, limit, unit: 'ms' },
      measured.map(({ ours, other }) => ({ ours: ours[key], other })),
    )
  const closure = of('closure')
  return [
    row(`resolve ${closure} of 100 000, loaded`, 'loaded', LOADED_MS),
    row('the same under policy', 'underPolicy', LOADED_MS),
    row('the same after a conflict of operating systems', 'conflict', LOADED_MS),
    row('the same from a cold start of the index', 'cold', COLD_MS),
  ]
}

async function resolveOnce(root: string): Promise<ResolveTimes> {
  const { stdout } = await execa(process.execPath, [`${root}/dist/scripts/bench.d/resolve-once.js`])
  return JSON.parse(stdout) as ResolveTimes
}

async function comparableClosure(): Promise<{ name: string; count: number }> {
  const found: { name: string; count: number }[] = []
  for (const name of APT_PACKAGES) found.push({ name, count: (await simulateInstall(name)).count })
  const [nearest] = found.sort((a, b) => Math.abs(a.count - 200) - Math.abs(b.count - 200))
  if (!nearest || nearest.count === 0)
    throw new Error(`apt-get knows none of ${APT_PACKAGES.join(', ')}: run apt-get update first.`)
  return nearest
}

/** Simulates an installation. The count is 0 for a name that apt does not know. */
async function simulateInstall(name: string): Promise<{ ms: number; count: number }> {
  const began = performance.now()
  const { stdout } = await execa('apt-get', ['-s', 'install', '-y', name], { reject: false, env: { LC_ALL: 'C' } })
  return { ms: performance.now() - began, count: stdout.split('\n').filter((line) => line.startsWith('Inst ')).length }
}

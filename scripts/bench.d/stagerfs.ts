import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { mountOverlay, unmount } from '../../isolation/host/mounts.js'
import type { BenchHost } from './host.js'
import { interleave } from './interleave.js'
import { limitRowOf, type Row } from './row.js'
import { timed } from './transfers.js'

const PACKAGES = 128
/** Fifty files of 16 KiB each. */
const CREATE_LAYERS = `for i in $(seq -w ${PACKAGES}); do
  mkdir -p "$1/layer$i/tree/opt/p$i"
  head -c 819200 /dev/urandom | split -b 16384 -a 2 - "$1/layer$i/tree/opt/p$i/f"
done`

/** Compares mounting and unmounting the layers of 128 packages as /stagerfs with copying the same files. */
export async function benchStagerfs(host: BenchHost): Promise<Row> {
  const base = join(host.work, 'stagerfs')
  const pathOf = (name: string) => join(base, name)
  for (const name of ['upper', 'work', 'merged', 'copy']) await mkdir(pathOf(name), { recursive: true })
  await execa('sh', ['-ec', CREATE_LAYERS, 'sh', base])
  const lowers = Array.from({ length: PACKAGES }, (_, i) => `layer${String(i + 1).padStart(3, '0')}/tree`)
  const signal = new AbortController().signal
  const directories = { base, lowers, upper: pathOf('upper'), work: pathOf('work'), target: pathOf('merged') }
  const { ours, other } = await interleave(host.pairs, {
    ours: () =>
      timed(async () => {
        await mountOverlay({ source: 'stagerd-bench', ...directories }, signal)
        await unmount(directories.target, signal)
      }),
    other: async () => {
      const duration = await timed(async () => {
        await execa('cp', ['-a', ...lowers.map((lower) => `${lower}/.`), pathOf('copy')], { cwd: base })
      })
      await rm(pathOf('copy'), { recursive: true })
      await mkdir(pathOf('copy'))
      return duration
    },
  })
  return limitRowOf(
    { work: '/stagerfs of 128 packages, mounted and unmounted', beside: 'cp -a of the layers', limit: 50, unit: 'ms' },
    ours.map((mine, turn) => ({ ours: mine, other: other[turn] ?? Number.NaN })),
  )
}

import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { mountOverlay, unmount } from '../../isolation/host/mounts.js'
import type { BenchHost } from './host.js'
import { inTurn } from './in-turn.js'
import { limitRowOf, type Row } from './row.js'
import { timed } from './transfers.js'

const PACKAGES = 128
/** Fifty files of 16 KiB each. */
const MAKE = `for i in $(seq -w ${PACKAGES}); do
  mkdir -p "$1/layer$i/tree/opt/p$i"
  head -c 819200 /dev/urandom | split -b 16384 -a 2 - "$1/layer$i/tree/opt/p$i/f"
done`

/** Layers of 128 packages as /stagerfs, mounted and unmounted, beside a copy of the same. */
export async function benchStagerfs(host: BenchHost): Promise<Row> {
  const base = join(host.work, 'stagerfs')
  const inside = (name: string) => join(base, name)
  for (const name of ['upper', 'work', 'merged', 'copy']) await mkdir(inside(name), { recursive: true })
  await execa('sh', ['-ec', MAKE, 'sh', base])
  const lowers = Array.from({ length: PACKAGES }, (_, i) => `layer${String(i + 1).padStart(3, '0')}/tree`)
  const signal = new AbortController().signal
  const directories = { base, lowers, upper: inside('upper'), work: inside('work'), target: inside('merged') }
  const { ours, other } = await inTurn(host.pairs, {
    ours: () =>
      timed(async () => {
        await mountOverlay({ source: 'stagerd-bench', ...directories }, signal)
        await unmount(directories.target, signal)
      }),
    other: async () => {
      const copied = await timed(async () => {
        await execa('cp', ['-a', ...lowers.map((lower) => `${lower}/.`), inside('copy')], { cwd: base })
      })
      await rm(inside('copy'), { recursive: true })
      await mkdir(inside('copy'))
      return copied
    },
  })
  return limitRowOf(
    { work: '/stagerfs of 128 packages, mounted and unmounted', beside: 'cp -a of the layers', limit: 50, unit: 'ms' },
    ours.map((mine, turn) => ({ ours: mine, other: other[turn] ?? Number.NaN })),
  )
}

import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { interleave } from './interleave.js'
import { createLargeFiles, createSmallFiles } from './pack-sources.js'
import { rowOf, type Row } from './row.js'

const BESIDE = 'tar | gzip -1'

/**
 * Packing a source, as `stagectl stage` does before the upload, in a new process each time. The other side computes no
 * digest, and its order of entries is that of the disk.
 */
export async function benchPack({ root, pairs }: { root: string; pairs: number }): Promise<Row[]> {
  const work = await mkdtemp('/var/tmp/stagerd-bench-pack.')
  try {
    const small = await measure({ root, work, pairs, source: createSmallFiles(join(work, 'small')) })
    const large = await measure({ root, work, pairs, source: createLargeFiles(join(work, 'large')) })
    const memory = small.memory.map((ours, turn) => ({ ours, other: large.memory[turn] ?? Number.NaN }))
    return [
      rowOf({ work: 'pack 51 000 small files', beside: BESIDE, target: 2, unit: 'ms' }, small.pairs),
      rowOf({ work: 'pack 4 files of 64 MiB', beside: BESIDE, target: 2, unit: 'ms' }, large.pairs),
      rowOf(
        { work: 'peak memory of packing 51 000 files', beside: 'of packing 4 files', target: 1.5, unit: 'MB' },
        memory,
      ),
    ]
  } finally {
    await rm(work, { recursive: true })
  }
}

interface Measurement {
  readonly root: string
  readonly work: string
  readonly pairs: number
  readonly source: string
}

async function measure({ root, work, pairs, source }: Measurement) {
  const memory: number[] = []
  const { ours, other } = await interleave(pairs, {
    ours: () =>
      duration(async () => {
        const script = join(root, 'dist/scripts/bench.d/pack-once.js')
        const { stdout } = await execa(process.execPath, [script, source], { env: { TMPDIR: work } })
        memory.push(Number(stdout))
      }),
    other: () =>
      duration(async () => {
        await execa('sh', ['-ec', 'tar -cf - -C "$1" . | gzip -1 >"$2"', 'sh', source, join(work, 'other.tar.gz')])
      }),
  })
  return {
    pairs: ours.map((mine, turn) => ({ ours: mine, other: other[turn] ?? Number.NaN })),
    // Without the rounds that warm up.
    memory: memory.slice(-pairs),
  }
}

async function duration(task: () => Promise<void>): Promise<number> {
  const began = performance.now()
  await task()
  return performance.now() - began
}

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { hasProgram } from '../../isolation/archive/find-program.js'
import { COMPRESSORS } from '../../isolation/compressor-choice.js'
import type { CoresOnce } from './cores-once.js'
import { createLargeFiles, createSmallFiles } from './pack-sources.js'
import { interleave } from './interleave.js'
import { median, rowOf, type Row } from './row.js'

interface Part {
  readonly name: string
  /** As `cores-once` takes it. */
  readonly part: string
  readonly inputs: readonly string[]
  /** The ratio of two processors to one. Below a half, it would be faster than twice the processors. */
  readonly target: number
}

const BESIDE = 'the same, one processor'

/**
 * What uses more than one processor, on two and on one: compression of snapshots, extraction of the layers of a root, and packing of
 * sources. Each in a new process, without a daemon and an Engine. Fails where the result depends on the number of processors.
 */
export async function benchCores({ root, pairs }: { root: string; pairs: number }): Promise<Row[]> {
  const two = await firstProcessors(2)
  const [one = ''] = two
  if (two.length < 2) throw new Error('cores compares two processors with one, and this process may use one only.')
  const work = await mkdtemp('/var/tmp/stagerd-bench-cores.')
  // In memory: a layer is flushed to the disk, which for 51 000 files takes longer than all that processors do, and varies.
  await execa('mount', ['-t', 'tmpfs', '-o', 'size=4g,mode=0700', 'stagerd-bench', work])
  try {
    const rows: Row[] = []
    for (const part of await parts(work)) {
      const run = (processors: readonly string[]) => once(root, work, processors, part)
      rows.push(...(await measure(part, pairs, { two: () => run(two), one: () => run([one]) })))
    }
    return rows
  } finally {
    await execa('umount', [work])
    await rm(work, { recursive: true })
  }
}

async function parts(work: string): Promise<Part[]> {
  const small = createSmallFiles(join(work, 'small'))
  const large = createLargeFiles(join(work, 'large'))
  const archives = [small, large].map((source) => `${source}.tar.gz`)
  for (const source of [small, large])
    await execa('sh', ['-ec', 'tar -cf - -C "$1" . | gzip -1 >"$1.tar.gz"', 'sh', source])
  const found: Part[] = []
  for (const name of COMPRESSORS) {
    if (name !== 'zlib' && !(await hasProgram(name))) continue
    found.push({ name: `snapshot of 4 files of 64 MiB, ${name}`, part: name, inputs: [large], target: 0.75 })
  }
  return [
    ...found,
    { name: 'extract two layers of 260 MB', part: 'extract', inputs: archives, target: 0.75 },
    { name: 'pack 51 000 small files', part: 'pack', inputs: [small], target: 0.75 },
    { name: 'pack 4 files of 64 MiB', part: 'pack', inputs: [large], target: 0.75 },
  ]
}

async function measure(
  { name, target }: Part,
  pairs: number,
  runs: Readonly<Record<'two' | 'one', () => Promise<CoresOnce>>>,
): Promise<Row[]> {
  const results: Record<'two' | 'one', CoresOnce[]> = { two: [], one: [] }
  const noted = (key: 'two' | 'one') => async () => {
    const result = await runs[key]()
    results[key].push(result)
    return result.ms
  }
  await interleave(pairs, { two: noted('two'), one: noted('one') })
  const digests = new Set([...results.two, ...results.one].map(({ sha256 }) => sha256))
  if (digests.size !== 1) throw new Error(`${name}: the result depends on the number of processors.`)
  // Without the rounds that warm up.
  const [two, one] = [results.two.slice(-pairs), results.one.slice(-pairs)]
  const pairsOf = (value: (result: CoresOnce) => number) =>
    two.map((ours, turn) => ({ ours: value(ours), other: one[turn] ? value(one[turn]) : Number.NaN }))
  const middle = (value: (result: CoresOnce) => number) => median(two.map(value)).toFixed(0)
  console.log(
    `${name}: processor time on two: main thread ${middle(({ mainThread }) => mainThread)} ms, other threads ` +
      `${middle(({ otherThreads }) => otherThreads)} ms, programs ${middle(({ programs }) => programs)} ms`,
  )
  const all = ({ mainThread, otherThreads, programs }: CoresOnce) => mainThread + otherThreads + programs
  return [
    rowOf(
      { work: name, beside: BESIDE, target, unit: 'ms' },
      pairsOf(({ ms }) => ms),
    ),
    rowOf({ work: `processor time of it`, beside: BESIDE, target: 1.15, unit: 'ms' }, pairsOf(all)),
  ]
}

async function once(
  root: string,
  work: string,
  processors: readonly string[],
  { part, inputs }: Part,
): Promise<CoresOnce> {
  const script = join(root, 'dist/scripts/bench.d/cores-once.js')
  const scratch = await mkdtemp(join(work, 'once-'))
  try {
    const argv = ['--cpu-list', processors.join(','), process.execPath, script, part, scratch, ...inputs]
    const { stdout } = await execa('taskset', argv)
    return JSON.parse(stdout) as CoresOnce
  } finally {
    await rm(scratch, { recursive: true })
  }
}

/** The numbers of those that this process may use. */
async function firstProcessors(count: number): Promise<string[]> {
  const [, list = ''] = /^Cpus_allowed_list:\s+(\S+)$/m.exec(await readFile('/proc/self/status', 'utf8')) ?? []
  const numbers = list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number)
    return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}`)
  })
  return numbers.slice(0, count)
}

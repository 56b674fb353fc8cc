import { Readable } from 'node:stream'
import { BLOCK } from '../archive/tar-header.js'
import { throughProcesses } from '../archive/filter-process.js'
import { tarList, tarOfList, writeTar } from '../archive/tar-writer.js'
import type { Compressor } from './compressor.js'
import type { SnapshotPlan } from './plan-snapshot.js'

/** What stands for a snapshot in which nothing was added or changed: an archive without entries is taken for a broken one. */
const NOTHING_BUT_THE_ROOT = ['.']

/**
 * The compressed archive of a snapshot that is still being planned. tar and the compressor are started at once, since
 * their confinement takes as long to make as the plan, and hand bytes to each other directly.
 *
 * The stream errs with what `planned` rejects with. Destroying it ends everything.
 */
export function compressedSnapshot(
  upper: string,
  planned: Promise<SnapshotPlan>,
  compressor: Compressor,
  signal?: AbortSignal,
): Promise<Readable> {
  const { filter } = compressor
  if (!filter) return planned.then((plan) => compressor.compress(snapshotTar(upper, plan, signal), signal))
  async function* list(): AsyncGenerator<Buffer> {
    const plan = await planned
    yield tarList(plan.paths.length > 0 ? plan.paths : NOTHING_BUT_THE_ROOT)
  }
  const started = throughProcesses(
    Readable.from(list(), { objectMode: false }),
    [tarOfList({ tree: upper, sparse: true }), filter],
    signal,
  )
  // Nobody reads it before the plan is made, and what it fails with is told whoever reads it then.
  started.on('error', () => undefined)
  return planned.then(
    (plan) => {
      if (plan.furtherSymlinks.length === 0) return started
      started.destroy()
      return compressor.compress(snapshotTar(upper, plan, signal), signal)
    },
    (error: unknown) => {
      started.destroy()
      throw error
    },
  )
}

/**
 * The uncompressed archive of a snapshot.
 *
 * GNU tar archives the further names of a symbolic link as hard links to it, and no upload may hold a hard link to what
 * is not a file. So they are archived by a second tar, which is told to see each as a link of its own, and whose output
 * goes before that of the first, without its end.
 */
export function snapshotTar(upper: string, plan: SnapshotPlan, signal?: AbortSignal): Readable {
  const isEmpty = plan.paths.length + plan.furtherSymlinks.length === 0
  const paths = isEmpty ? NOTHING_BUT_THE_ROOT : plan.paths
  if (plan.furtherSymlinks.length === 0) return writeTar({ tree: upper, paths, sparse: true, signal })
  async function* both(): AsyncGenerator<Buffer> {
    yield* withoutEnd(
      writeTar({ tree: upper, paths: plan.furtherSymlinks, sparse: false, separateLinks: true, signal }),
    )
    for await (const chunk of writeTar({ tree: upper, paths, sparse: true, signal })) yield chunk as Buffer
  }
  return Readable.from(both(), { objectMode: false, highWaterMark: 256 * 1024 })
}

/** An archive in records of one block ends with exactly two blocks of zeros. */
async function* withoutEnd(archive: Readable): AsyncGenerator<Buffer> {
  let held = Buffer.alloc(0)
  for await (const chunk of archive) {
    held = Buffer.concat([held, chunk as Buffer])
    if (held.length <= 2 * BLOCK) continue
    yield held.subarray(0, -2 * BLOCK)
    held = held.subarray(-2 * BLOCK)
  }
}

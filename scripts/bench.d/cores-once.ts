import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { packDirectory } from '../../cli/pack/pack-directory.js'
import { chooseCompressor } from '../../isolation/archive/compressor.js'
import { type CompressorName, COMPRESSORS } from '../../isolation/compressor-choice.js'
import { LayerDirectoryCache } from '../../isolation/layers/layer-cache.js'
import { takeSnapshot } from '../../isolation/snapshot/snapshot.js'

/** What one part of the work takes, in milliseconds. */
export interface CoresOnce {
  readonly ms: number
  /** Processor time. */
  readonly mainThread: number
  readonly otherThreads: number
  readonly programs: number
  /** Of the result, which must not depend on the number of processors. */
  readonly sha256: string
}

const MS_PER_TICK = 10
const signal = new AbortController().signal

/**
 * Does one part of the work in a process of its own, and prints a `CoresOnce` as JSON.
 *
 * @param work a directory for what it leaves
 */
async function main(part: string, work: string, inputs: readonly string[]): Promise<void> {
  const [input = ''] = inputs
  const name = COMPRESSORS.find((one) => one === part)
  const before = await processorTimes()
  const began = performance.now()
  const sha256 = await (name ? snapshot(name, input) : part === 'pack' ? pack(input, work) : extract(inputs, work))
  const ms = performance.now() - began
  const after = await processorTimes()
  console.log(
    JSON.stringify({
      ms,
      mainThread: after.mainThread - before.mainThread,
      otherThreads: after.all - after.mainThread - (before.all - before.mainThread),
      programs: after.programs - before.programs,
      sha256,
    } satisfies CoresOnce),
  )
}

/** Without a container: nothing has to be frozen, and the blob store is a digest. */
async function snapshot(name: CompressorName, upper: string): Promise<string> {
  const compressor = await chooseCompressor({ name, level: 1 })
  const { written } = await takeSnapshot({ upper, compressor }, async (archive) => {
    const hash = createHash('sha256')
    for await (const chunk of archive) hash.update(chunk as Buffer)
    return hash.digest('hex')
  })
  return written
}

async function pack(directory: string, work: string): Promise<string> {
  const tarball = await packDirectory({ directory, prefix: '', env: { TMPDIR: work }, signal })
  await tarball.dispose()
  return tarball.sha256
}

/** The layers of one root, with the digests of their tars, as for its first launch. */
async function extract(archives: readonly string[], directory: string): Promise<string> {
  const resources = { open: (index: string) => Promise.resolve(createReadStream(archives[Number(index)] ?? '')) }
  const cache = await LayerDirectoryCache.open({ directory, resources })
  const digests = await Promise.all(
    archives.map(async (_, index) => {
      const layer = await cache.materialise({ name: `layer ${index}`, sha256: `${index}`, removals: [] }, signal)
      return (await layer.asImageLayer(signal)).diffId
    }),
  )
  return digests.join(' ')
}

/** Of this process so far. Threads that have ended count as others. */
async function processorTimes(): Promise<{ mainThread: number; all: number; programs: number }> {
  const [own, mainThread] = await Promise.all([
    ticksOf('/proc/self/stat'),
    ticksOf(`/proc/self/task/${process.pid}/stat`),
  ])
  return { mainThread: mainThread.own, all: own.own, programs: own.programs }
}

async function ticksOf(file: string): Promise<{ own: number; programs: number }> {
  const text = await readFile(file, 'utf8')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const ms = (...indexes: number[]) => indexes.reduce((sum, index) => sum + Number(fields[index]) * MS_PER_TICK, 0)
  return { own: ms(11, 12), programs: ms(13, 14) }
}

const [part = '', work = '', ...inputs] = process.argv.slice(2)
await main(part, work, inputs)

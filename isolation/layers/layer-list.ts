import { createReadStream, createWriteStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Fault, Unavailable } from '../../base/errors.js'
import { type FilterExit, throughProcess } from '../archive/filter-process.js'
import { bytesOf } from '../archive/names.js'

/** The paths of the layer tar, in its order, each terminated by NUL, so that no walk of the tree is needed. */
const LIST = 'paths'
const BATCH_CHARACTERS = 64 * 1024

/**
 * Sorts by bytes, so that the same tree yields the same tar. The program `sort` takes half a second for a million paths,
 * in another process, and limits its memory.
 *
 * @param paths bytes as latin1, in any order
 */
export async function writeList(directory: string, paths: Iterable<string>, signal: AbortSignal): Promise<void> {
  const sort = ['sort', '--zero-terminated', '--buffer-size=32M', `--temporary-directory=${directory}`]
  const input = Readable.from(batches(paths), { objectMode: false })
  const sorted = throughProcess(input, ['env', 'LC_ALL=C', ...sort], { signal, checkExit })
  await pipeline(sorted, createWriteStream(join(directory, LIST)), { signal })
}

/** Undefined if the list is empty. */
export async function openList(directory: string): Promise<Readable | undefined> {
  const file = join(directory, LIST)
  const { size } = await stat(file)
  return size === 0 ? undefined : createReadStream(file)
}

function* batches(paths: Iterable<string>): Generator<Buffer> {
  let batch = ''
  for (const path of paths) {
    batch += `${path}\0`
    if (batch.length < BATCH_CHARACTERS) continue
    yield bytesOf(batch)
    batch = ''
  }
  yield bytesOf(batch)
}

function checkExit({ exitCode, stderr }: FilterExit): Error | undefined {
  if (exitCode === 0) return undefined
  if (stderr.includes('No space left on device'))
    return new Unavailable('disk-full', 'There is no space left to unpack the package: free some and try again.')
  return new Fault('list-failed', `The list of a layer cannot be sorted: ${stderr || 'sort was killed'}.`)
}

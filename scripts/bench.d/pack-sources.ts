import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const SMALL_FILES = 51_000
const FILES_PER_DIRECTORY = 60
const LARGEST_SMALL = 8 * 1024
const LARGE_FILES = 4
const LARGE = 64 * 1024 * 1024

/** Many small files, as of a Node.js application with its modules: 51 000 files of up to 8 KiB, 2.7 KiB on average. */
export function createSmallFiles(root: string): string {
  const next = numbers(1)
  const text = textOf(LARGEST_SMALL * 64, next)
  for (let index = 0; index < SMALL_FILES; index++) {
    const group = Math.floor(index / FILES_PER_DIRECTORY)
    const directory = join(root, `module-${Math.floor(group / 10)}`, `part-${group % 10}`)
    if (index % FILES_PER_DIRECTORY === 0) mkdirSync(directory, { recursive: true })
    const start = Math.floor(next() * (text.length - LARGEST_SMALL))
    const length = Math.floor(LARGEST_SMALL * next() ** 2)
    writeFileSync(join(directory, `file-${index}.js`), text.subarray(start, start + length))
  }
  return root
}

/** A few large files, half of them text and half of them incompressible. */
export function createLargeFiles(root: string): string {
  mkdirSync(root, { recursive: true })
  for (let index = 0; index < LARGE_FILES; index++) {
    const next = numbers(index + 2)
    const half = LARGE / 2
    const random = Buffer.allocUnsafe(half)
    for (let at = 0; at < half; at += 4) random.writeUInt32LE(Math.floor(next() * 2 ** 32), at)
    writeFileSync(join(root, `large-${index}`), Buffer.concat([textOf(half, next), random]))
  }
  return root
}

/** Words with the skewed frequencies of a language, so that they compress as text does. */
function textOf(length: number, next: () => number): Buffer {
  const words = Array.from({ length: 2000 }, () =>
    Math.floor(next() * 36 ** 6)
      .toString(36)
      .slice(0, 2 + Math.floor(next() * 5)),
  )
  const text = Buffer.alloc(length, ' ')
  for (let at = 0; at < length;) at += text.write(`${words[Math.floor(2000 * next() ** 3)] ?? ''} `, at)
  return text
}

/** Pseudo-random numbers from 0 to 1: each run measures the same files. */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

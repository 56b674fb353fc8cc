import { readFileSync } from 'node:fs'
import path from 'node:path'
import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { readCorpus, writeCorpus, writeFailure } from './engine/corpus.js'
import { Coverage } from './engine/coverage.js'
import { judge } from './engine/judge.js'
import { Random } from './engine/random.js'
import { FuzzSession, type SessionResult } from './engine/session.js'
import { runWatched, SharedInput } from './engine/watched-worker.js'
import type { FuzzTarget } from './fuzz-target.js'
import { allTargets, type ListedTarget, targetOf } from './targets/all.js'

/** The program behind ./scripts/fuzz. Each target runs in a thread of its own, which may hang or run out of memory. */
interface Order {
  readonly file: string
  readonly target: string
  readonly seconds: number
  readonly seed: number
  readonly corpus: string
}

async function work({ file, target: name, seconds, seed, corpus, memory }: Order & { memory: SharedArrayBuffer }) {
  const target = await targetOf(file, name)
  const here = pathToFileURL(path.dirname(fileURLToPath(import.meta.url))).href
  const coverage = new Coverage((url) => url.startsWith(here))
  const input = new SharedInput(memory)
  const session = new FuzzSession(target, coverage, new Random(seed), (bytes) => input.set(bytes))
  parentPort!.postMessage(
    await session.run(
      readCorpus(corpus, target).map(({ bytes }) => bytes),
      seconds,
    ),
  )
  coverage.close()
}

/** Returns whether nothing failed. */
async function fuzz(target: FuzzTarget, order: Order, keep: boolean, failures: string): Promise<boolean> {
  const input = SharedInput.ofAtMost(target.maxBytes)
  const end = await runWatched<SessionResult>(fileURLToPath(import.meta.url), order, input)
  if ('died' in end) return report(target, { bytes: input.bytes, why: end.died }, failures)
  const { runs, outcomes, corpus, failure } = end.posted
  if (failure) return report(target, { bytes: Buffer.from(failure.bytes), why: failure.why }, failures)
  console.log(
    `${target.name}: ${runs} inputs, ${Math.round(runs / order.seconds)} a second, ${outcomes.length} outcomes, ` +
      `${corpus.length} inputs reach all that was reached (seed ${order.seed})`,
  )
  if (keep)
    writeCorpus(
      order.corpus,
      target,
      corpus.map((bytes) => Buffer.from(bytes)),
    )
  return true
}

function report(target: FuzzTarget, { bytes, why }: { bytes: Buffer; why: string }, failures: string): false {
  const file = writeFailure(failures, target, bytes)
  console.log(`${target.name} FAILED, where this holds: ${target.law}\n${why}`)
  console.log(`input: ${JSON.stringify(bytes.subarray(0, 400).toString('latin1'))}${bytes.length > 400 ? '…' : ''}`)
  console.log(`again: ./scripts/fuzz --input ${file} ${target.name}`)
  return false
}

function named(name: string, targets: readonly ListedTarget[]): ListedTarget {
  const found = targets.find(({ target }) => target.name === name)
  if (!found) throw new Error(`There is no target ${name}: ./scripts/fuzz --list names them.`)
  return found
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: 'string', default: '60' },
      seed: { type: 'string' },
      corpus: { type: 'string', default: 'test/fuzz/corpus' },
      failures: { type: 'string', default: '.cache/fuzz-failures' },
      keep: { type: 'boolean', default: false },
      input: { type: 'string' },
      list: { type: 'boolean', default: false },
    },
  })
  const targets = await allTargets()
  if (values.list) {
    for (const { target } of targets) console.log(`${target.name}: ${target.law}`)
    return 0
  }
  let isFine = true
  for (const { file, target } of positionals.length === 0 ? targets : positionals.map((name) => named(name, targets))) {
    if (values.input !== undefined) {
      const bytes = readFileSync(values.input)
      const verdict = await judge(target, bytes)
      if (verdict.kind === 'failed') isFine = report(target, { bytes, why: verdict.why }, values.failures)
      else console.log(`${target.name}: ${verdict.outcome}`)
      continue
    }
    const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed)
    const order = { file, target: target.name, seconds: Number(values.seconds), seed, corpus: values.corpus }
    isFine = (await fuzz(target, order, values.keep, values.failures)) && isFine
  }
  return isFine ? 0 : 1
}

if (isMainThread) process.exitCode = await main()
else await work(workerData as Order & { memory: SharedArrayBuffer })

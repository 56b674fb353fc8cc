import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { BadInput } from '../../base/errors.js'
import { isFound, readCorpus, writeCorpus, writeFailure } from './engine/corpus.js'
import { Coverage } from './engine/coverage.js'
import { judge } from './engine/judge.js'
import { Random } from './engine/random.js'
import { FuzzSession } from './engine/session.js'
import { runWatched, SharedInput } from './engine/watched-worker.js'
import { BrokenLaw, type FuzzTarget } from './fuzz-target.js'

/** What is planted here is behind conditions that no random input meets at once: only the coverage leads there. */
function nested(bytes: Buffer, fault: () => string): string {
  if (bytes[0] !== 0x73) return 'nothing'
  if (bytes[1] !== 0x74) return 'nothing'
  if (bytes[2] !== 0x61) return 'nothing'
  if (bytes[3] !== 0x67) return 'nothing'
  return fault()
}

const target = (run: FuzzTarget['run']): FuzzTarget => ({
  name: 'planted',
  law: 'Nothing happens.',
  refusals: ['known'],
  maxBytes: 1000,
  tokens: [],
  seeds: ['a seed of some length'],
  run,
})

let coverage: Coverage | undefined
afterEach(() => coverage?.close())

async function fuzz(planted: FuzzTarget, seconds = 20) {
  coverage = new Coverage((url) => url.includes('engine.test'))
  return await new FuzzSession(planted, coverage, new Random(1), undefined, 2000).run([], seconds)
}

describe('the fuzzer finds', () => {
  test('an exception behind conditions that chance does not meet, and its shortest input', async () => {
    const { failure } = await fuzz(
      target((bytes) =>
        nested(bytes, () => {
          throw new TypeError('planted')
        }),
      ),
    )
    expect(failure?.why).toContain('TypeError: planted')
    expect(failure?.bytes.toString()).toBe('stag')
  })

  test('a law that does not hold', async () => {
    const { failure } = await fuzz(
      target((bytes) => {
        if (bytes.includes(0xff)) throw new BrokenLaw('planted')
        return 'fine'
      }),
    )
    expect([...failure!.bytes]).toEqual([0xff])
  })

  test('a refusal with a code that is none of the parser', async () => {
    const { failure } = await fuzz(
      target((bytes) => {
        throw new BadInput(bytes.length > 30 ? 'unknown' : 'known', 'A sentence.')
      }),
    )
    expect(failure?.bytes).toHaveLength(31)
  })
})

test('what takes more time than its bytes may take fails, and what a garbage collection delays once does not', async () => {
  const busyFor = (ms: number) => {
    const before = process.cpuUsage()
    for (let used = 0; used < ms * 1000;) {
      for (let at = 0; at < 1_000_000; at++) used += at % 1
      const { user, system } = process.cpuUsage(before)
      used = user + system
    }
    return 'fine'
  }
  expect(
    await judge(
      target(() => busyFor(250)),
      Buffer.alloc(10),
    ),
  ).toMatchObject({
    kind: 'failed',
    why: expect.stringMatching(/^10 bytes took \d+ ms of the processor, and may take 150$/) as string,
  })
  let runs = 0
  expect(
    await judge(
      target(() => busyFor(runs++ === 0 ? 250 : 0)),
      Buffer.alloc(10),
    ),
  ).toMatchObject({ kind: 'fine' })
})

test('what takes much memory fails', async () => {
  const verdict = await judge(
    target(() => String(Buffer.alloc(400 * 1024 ** 2, 1).length)),
    Buffer.alloc(0),
  )
  expect(verdict).toMatchObject({ kind: 'failed', why: expect.stringContaining('MiB of memory') as string })
})

/** A thread that has taken the input `x` and then does this. */
const thread = (code: string) =>
  new URL(
    `data:text/javascript,${encodeURIComponent(`
      import { workerData, parentPort } from 'node:worker_threads'
      new Uint8Array(workerData.memory)[8] = 0x78
      new Int32Array(workerData.memory, 0, 2).set([1, 1])
      ${code}`)}`,
  )

test.each([
  ['hangs', 'for (;;);', /^it has not ended after/],
  ['exhausts its memory', 'const all = []; for (;;) all.push(new Array(1000).fill(all.length))', /memory/],
  ['throws in a callback', "setTimeout(() => { throw new TypeError('planted') })", /TypeError: planted/],
])('a thread that %s is ended, and its input is known', async (_, code, why) => {
  const input = SharedInput.ofAtMost(10)
  const end = await runWatched<never>(thread(code), {}, input, { hangMs: 1500, heapMb: 32 })
  expect(end).toEqual({ died: expect.stringMatching(why) as string })
  expect(input.bytes.toString()).toBe('x')
})

test('inputs that together reach as much are kept, the shortest ones', async () => {
  const { corpus, outcomes, failure } = await fuzz(
    target((bytes) => (bytes.length > 40 ? 'long' : bytes.length > 20 ? 'usual' : 'short')),
    1,
  )
  expect(failure).toBeUndefined()
  expect(outcomes).toEqual(['long', 'short', 'usual'])
  expect(corpus.length).toBeLessThan(20)
})

test('a corpus keeps what was found, whatever takes the place of the rest', () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'stagerd-test-'))
  try {
    const planted = target(() => 'fine')
    writeCorpus(directory, planted, [Buffer.from('one'), Buffer.from('two')])
    writeFailure(path.join(directory, planted.name), { ...planted, name: 'found' }, Buffer.from('bad'))
    writeCorpus(directory, planted, [Buffer.from('two')])
    expect(readCorpus(directory, planted).map(({ bytes }) => bytes.toString())).toEqual(['two', 'bad'])
    expect(readCorpus(directory, planted).filter(isFound)).toHaveLength(1)
  } finally {
    rmSync(directory, { recursive: true })
  }
})

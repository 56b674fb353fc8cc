import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { readCorpus } from './engine/corpus.js'
import { judge } from './engine/judge.js'
import { mutate } from './engine/mutate.js'
import { Random } from './engine/random.js'
import { allTargets } from './targets/all.js'

const CORPUS = path.join(import.meta.dirname, 'corpus')

/** Of each target. More are for ./scripts/fuzz, which is guided by the code that they reach. */
const MUTATIONS = 200

/** FUZZ_SEED repeats the mutations of a run that failed. */
const seed = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31))

const targets = await allTargets()

describe.each(targets.map(({ target }) => ({ name: target.name, target })))('$name', ({ target }) => {
  const corpus = readCorpus(CORPUS, target)

  test('holds for its corpus', { timeout: 120_000 }, async () => {
    expect(corpus.length).toBeGreaterThan(0)
    for (const { name, bytes } of corpus)
      expect({ input: name, ...(await judge(target, bytes)) }).toMatchObject({ kind: 'fine' })
  })

  test(`holds for some hundred inputs like them (FUZZ_SEED=${seed})`, { timeout: 120_000 }, async () => {
    const random = new Random(seed)
    const inputs = corpus.map(({ bytes }) => bytes)
    for (let left = MUTATIONS; left > 0; left -= 1) {
      const bytes = mutate(random.of(inputs), random.of(inputs), { ...target, maxBytes: 4096 }, random)
      expect({ input: bytes.toString('latin1'), ...(await judge(target, bytes)) }).toMatchObject({ kind: 'fine' })
    }
  })
})

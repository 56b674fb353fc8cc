import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { extract } from 'tar-stream'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { launch, planOf, Recorder, type Launched } from '../../contract/isolation-under-test.js'
import { collect } from '../../support/collect.js'
import { dockerIsolation, type DockerIsolationUnderTest } from '../support/docker-isolation.js'
import { BUSY_WRITER, perlTarball } from '../support/perl-root.js'

const RING = 500
const SNAPSHOTS = 8

let under: DockerIsolationUnderTest
let launched: Launched | undefined

beforeEach(async () => {
  under = await dockerIsolation()
})
afterEach(async () => {
  await launched?.release()
  await under.close()
})

/** The number in each file of the archive, by path relative to /busy. */
async function numbersIn(archive: Buffer): Promise<Map<string, number>> {
  const numbers = new Map<string, number>()
  const entries = Readable.from([archive]).pipe(createGunzip()).pipe(extract())
  for await (const entry of entries) {
    const content = await collect(entry as AsyncIterable<unknown>)
    const path = /^busy\/(.*[^/])$/.exec(entry.header.name)?.[1]
    if (path !== undefined && entry.header.type === 'file') numbers.set(path, Number(content.toString()))
  }
  return numbers
}

/** Contradictions: states that test/fixtures/stagers/busy-writer.pl never has at one moment. */
function contradictions(numbers: ReadonlyMap<string, number>): string[] {
  const number = (path: string) => numbers.get(path) ?? NaN
  const ring = Array.from({ length: RING }, (_, index) => number(`ring/${index}`))
  const newest = Math.max(...ring)
  const names = [...numbers.keys()].filter((path) => path.startsWith('names/'))
  const [a, b, name] = [number('a'), number('b'), Number(names.join().slice('names/'.length))]
  const inOrder = a >= b && b >= name && name >= newest && newest >= a - 1
  return [
    ...(inOrder ? [] : [`a ${a}, b ${b}, ${names.join()}, ring ${newest}`]),
    ...ring.flatMap((held, index) => {
      const expected = newest - ((((newest - index) % RING) + RING) % RING)
      return held === expected ? [] : [`ring/${index}: ${held} instead of ${expected}`]
    }),
  ]
}

/**
 * This check can fail: without freezing, nine of fifteen tar archives of the upper directory contained contradictions,
 * one of them 423.
 */
test('LAW: a snapshot of a stager that writes continuously is a consistent tree of one moment', async () => {
  const recorder = new Recorder()
  const plan = {
    ...planOf(under, { shell: BUSY_WRITER, fake: () => Promise.resolve() }),
    root: [...under.root, under.resources.add('perl', await perlTarball())],
    user: 'root',
  }
  launched = await launch(under.isolation, plan, recorder)
  const goesOn = async () => {
    const said = recorder.stdout.length
    await vi.waitFor(() => expect(recorder.stdout.length).toBeGreaterThan(said), 30_000)
  }
  let last = 0
  for (let index = 0; index < SNAPSHOTS; index++) {
    await goesOn()
    const { written } = await launched.running.snapshot({}, collect)
    const numbers = await numbersIn(written)
    expect(contradictions(numbers)).toEqual([])
    expect(numbers.get('a')).toBeGreaterThan(last)
    last = numbers.get('a')!
  }
})

import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type Docker from 'dockerode'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { connectEngine } from '../../../isolation/engine/connect.js'
import { censusOf, tableOf, type Census } from '../support/census.js'
import { draw } from '../support/draw.js'
import { expectNothingLeft, leftovers, removeImages } from '../support/leftovers.js'
import { furnish, KINDS, Many, settle, type ManyStagings } from '../support/many-stagings.js'
import { CREATED_AHEAD, PrivateDaemon } from '../support/private-daemon.js'

// ./scripts/thousand sets these.
const { STAGINGS, STAGINGS_FOR_MS, STAGINGS_OUT, LAW_SEED } = process.env
const FOR_MS = STAGINGS_FOR_MS === undefined ? Infinity : Number(STAGINGS_FOR_MS)
const COUNT = FOR_MS < Infinity ? Infinity : Number(STAGINGS ?? 12)
const SEED = Number(LAW_SEED ?? Date.now() % 1_000_000)
const AT_ONCE = 8

/**
 * Resident memory at most, in MiB. V8 looks through all of its heap when that is 2.5 times what was in use (decision 11): of 70
 * MiB, at 175. Node.js and its libraries take 110 more. A launch that leaves 4 KiB exceeds it in a soak of two hours.
 */
const MEMORY_BOUND_MIB = 380
/** The Engine serves others at the same time. */
const ENGINE_ALLOWANCE = 40

let daemon: PrivateDaemon
beforeAll(async () => {
  daemon = await PrivateDaemon.start([...CREATED_AHEAD, '--concurrency', String(AT_ONCE), '--log-level', 'info'])
})
afterAll(async () => {
  await daemon.stop()
  await expectNothingLeft(daemon)
  await removeImages(daemon)
  await daemon.close()
})

/** Mulberry32: the same numbers for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/**
 * What passes by itself, such as a program that the daemon runs just now or an idle connection, is waited for. What a launch
 * has left does not pass.
 */
async function censusAfter(before: Census, engine: Docker): Promise<Census> {
  const deadline = performance.now() + 60_000
  for (;;) {
    const after = await censusOf(daemon, engine)
    const more = OWN.filter((name) => after[name] > before[name])
    if (more.length === 0 || performance.now() > deadline) return after
    await delay(500)
  }
}

const OWN = ['descriptors', 'sockets', 'threads', 'processes'] as const

async function report(before: Census, after: Census, { ended, kills, samples }: ManyStagings): Promise<string> {
  const total = [...ended.values()].reduce((all, one) => all + one, 0)
  const kinds = [...ended].toSorted().map(([kind, count]) => `${count} ${kind}`)
  const text = `${total} stagings, ${AT_ONCE} at once, seed ${SEED}: ${kinds.join(', ')}; stagerd was killed ${kills} times.\n\n${tableOf(before, after)}`
  if (STAGINGS_OUT !== undefined) {
    const points = (value: (sample: ManyStagings['samples'][number]) => number | undefined) =>
      samples.flatMap((sample): [number, number][] => {
        const found = value(sample)
        return found === undefined ? [] : [[sample.seconds, found]]
      })
    const drawing = draw([
      { name: 'Resident memory of stagerd', unit: 'MiB', points: points(({ residentMiB }) => residentMiB) },
      { name: 'A staging that succeeds', unit: 'ms', points: points(({ stagingMs }) => stagingMs) },
      { name: 'A request for the list of stagings', unit: 'ms', points: points(({ requestMs }) => requestMs) },
    ])
    await mkdir(STAGINGS_OUT, { recursive: true })
    await writeFile(path.join(STAGINGS_OUT, 'stagings.md'), text)
    await writeFile(path.join(STAGINGS_OUT, 'stagings.svg'), drawing)
  }
  return text
}

it(
  'holds no more after many stagings, however they ended, than before',
  async () => {
    const engine = connectEngine()
    const source = await furnish(daemon, AT_ONCE)
    const common = { atOnce: AT_ONCE, random: randomOf(SEED) }
    const rest = () => settle(daemon, () => leftovers(daemon, engine))
    // Makes layers and images, loads what is loaded on first use, and opens what stays open.
    const first = { stagings: Object.keys(KINDS).length, forMs: Infinity, killEvery: Infinity }
    expect((await new Many(daemon, source, { ...common, ...first }).run()).wrong).toEqual([])
    await rest()
    const before = await censusOf(daemon, engine)

    const killEvery = COUNT < 100 ? Math.floor(COUNT / 3) : 50
    const many = await new Many(daemon, source, { ...common, stagings: COUNT, forMs: FOR_MS, killEvery }).run()
    await rest()
    const after = await censusAfter(before, engine)
    const text = await report(before, after, many)
    console.log(text)

    expect(many.wrong, text).toEqual([])
    expect(many.kills).toBeGreaterThan(0)
    for (const name of ['containers', 'networks', 'mounts', 'firewall rules', 'scratch directories'] as const)
      expect(after[name], name).toBe(0)
    for (const name of OWN) expect(after[name], `${name}\n${text}`).toBeLessThanOrEqual(before[name])
    // In the last half, no daemon is killed.
    expect(after['resident memory, MiB'], text).toBeLessThan(MEMORY_BOUND_MIB)
    // What others have in work there passes. What a launch has left does not.
    for (const name of ['goroutines of the Engine', 'descriptors of the Engine'] as const)
      await expect
        .poll(async () => (await censusOf(daemon, engine))[name], { message: text, timeout: 60_000, interval: 1_000 })
        .toBeLessThanOrEqual(before[name] + ENGINE_ALLOWANCE)
  },
  FOR_MS < Infinity ? FOR_MS + 1_200_000 : 480_000 + 5_000 * COUNT,
)

import { setTimeout as delay } from 'node:timers/promises'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { Deferred } from '../../../base/deferred.js'
import { Coordinator } from '../../../daemon/coordinator/coordinator.js'
import { measurePrepared } from '../../../daemon/metrics/prepared-metrics.js'
import type { WaitingUse } from '../../../isolation/isolation.js'
import { LiveContainers } from '../../../daemon/staging/live-containers.js'
import type { LaunchPlan } from '../../../daemon/staging/plan.js'
import {
  PreparedLaunches,
  type PreparedLaunch,
  type PreparedLaunchesParts,
  type PreparedOutcome,
} from '../../../daemon/staging/prepared-launches.js'
import { Releases } from '../../../daemon/staging/releases.js'
import { MOST_WAITING_BYTES } from '../../../daemon/staging/waiting-bounds.js'
import { FakeIsolation } from '../../support/fake-isolation.js'
import { until } from '../../support/until.js'

let isolation: FakeIsolation
let prepared: PreparedLaunches
/** What was taken, and is to be released by the test. */
let taken: (() => Promise<unknown>)[]

beforeEach(() => {
  isolation = new FakeIsolation()
  taken = []
  open({})
})
afterEach(async () => {
  await prepared.stop()
  for (const release of taken) await release()
  expect([...isolation.left], 'containers that were never released').toEqual([])
})

function open(parts: Partial<PreparedLaunchesParts>): void {
  const logger = pino({ level: 'silent' })
  prepared = new PreparedLaunches({
    ...{ isolation, coordinator: new Coordinator({ logger }), live: new LiveContainers(), logger },
    janitor: { trySweep: () => Promise.resolve() },
    ...{ limit: 2, forMs: 60_000, lookMs: 5 },
    ...parts,
  })
}

/** Of a launch whose container is of the kind that `command` says. */
const planOf = (command: string): Pick<LaunchPlan, 'prepare' | 'start'> => ({
  prepare: { id: '', root: [], shims: true, user: 'runner', egress: false, publish: [] },
  start: {
    ...{ command, workingDirectory: '/', environment: {}, stagerfs: [], cache: undefined },
    limits: { memoryBytes: 1 << 28, cpus: 1, pids: 64, diskBytes: 1 << 20, timeoutMs: 20_000 },
  },
})

function use(more: Partial<WaitingUse>): void {
  isolation.waitingUse = { ...isolation.waitingUse, ...more }
}

/** Two, as far as there are places. */
function prepare(command: string): void {
  void prepared.prepare(planOf(command), { most: 2 })
}

/** By a launch that has not begun. */
async function takeEarly(command: string): Promise<PreparedLaunch | undefined> {
  const found = await prepared.take(planOf(command))
  if (found) taken.push(() => found.container.release().then(() => found.port.close()))
  return found
}

async function take(command: string): Promise<string | undefined> {
  const found = await takeEarly(command)
  return found?.leave() ? found.uuid : undefined
}

const waits = (count: number) => until(`${count} wait`, () => prepared.count === count)

/** The gates of those that are held, and of those to come. */
function openAll(gates: Deferred<void>[]): void {
  gates.push = (...more) => {
    for (const gate of more) gate.resolve()
    return gates.length
  }
  for (const gate of gates) gate.resolve()
}

/** Holds each container when it is about to be created, until its gate is opened. */
function holdCreations(): Deferred<void>[] {
  const gates: Deferred<void>[] = []
  const prepare = isolation.prepare.bind(isolation)
  isolation.prepare = async (...plan) => {
    const container = await prepare(...plan)
    const createAhead = container.createAhead.bind(container)
    return Object.assign(container, {
      createAhead: async (...ahead: Parameters<typeof createAhead>) => {
        const gate = new Deferred<void>()
        gates.push(gate)
        await gate.promise
        await createAhead(...ahead)
      },
    })
  }
  return gates
}

async function metrics(): Promise<Readonly<Record<string, number>>> {
  const registry = new Registry()
  measurePrepared({ registry, prepared, releases: new Releases(() => 1) })
  const lines = (await registry.metrics()).split('\n').filter((line) => line.startsWith('stagerd_'))
  const pairs = lines.map((line): [string, number] => {
    const [series = '', value] = line.replace('stagerd_prepared_containers', '').split(' ')
    return [series.replace(/^_ended_total\{outcome="(.*)"\}$/, '$1'), Number(value)]
  })
  return Object.fromEntries(pairs.filter(([, value]) => value > 0))
}

it('metrics say how many wait, how much memory they take, and what became of the others', async () => {
  use({ memoryBytes: 3 << 20 })
  prepare('one')
  await waits(2)
  await until('both were looked at', () => prepared.memoryBytes === 6 << 20)
  expect(await metrics()).toEqual({ '': 2, _memory_bytes: 6 << 20 })
  expect(await take('one')).toBeDefined()
  prepare('two')
  await until('there is one of each kind', () => prepared.count === 2)
  prepare('three')
  await until('the oldest has made way', () => prepared.outcomes('replaced') === 1)
  await waits(2)
  await prepared.clear()
  expect(await metrics()).toEqual({ used: 1, replaced: 1, released: 2 })
})

it('one expires when it has waited for as long as it may', async () => {
  open({ forMs: 20 })
  prepare('one')
  await until('both have expired', () => prepared.outcomes('expired') === 2)
  expect(prepared.count).toBe(0)
  await until('they are released', () => isolation.left.size === 0)
})

it.each<[string, Partial<WaitingUse>, Partial<WaitingUse>]>([
  ['memory', { memoryBytes: MOST_WAITING_BYTES }, { memoryBytes: MOST_WAITING_BYTES + 1 }],
  ['time of the processor', { processorMs: 1_000 }, { processorMs: 1_010 }],
  ['processes', { processes: 1 }, { processes: 2 }],
  ['disk', { diskBytes: 1 << 20 }, { diskBytes: (1 << 20) + 1 }],
])('one that uses more %s than a shell that waits is removed', async (_, enough, tooMuch) => {
  prepare('one')
  await waits(2)
  use(enough)
  await delay(20)
  expect(prepared.count).toBe(2)
  use(tooMuch)
  await until('both are removed', () => isolation.left.size === 0)
  expect(await metrics()).toEqual({ 'too-large': 2 })
})

it('one that is gone is noticed before a launch needs it', async () => {
  prepare('one')
  await waits(2)
  await isolation.sweep(new Set())
  await until('that is noticed', () => prepared.count === 0)
  expect(await metrics()).toEqual({ lost: 2 })
})

it('one that a launch has taken, which has not begun, goes to no other, makes no way, and does not expire', async () => {
  open({ limit: 1, forMs: 50 })
  prepare('one')
  await waits(1)
  const early = await takeEarly('one')
  prepare('two')
  await prepared.clear()
  await delay(100)
  expect(await take('one')).toBeUndefined()
  expect(prepared.count).toBe(1)
  expect(early?.container.isWaiting).toBe(true)
  expect(early?.leave()).toBe(true)
  expect(prepared.count).toBe(0)
  expect(await metrics()).toEqual({ used: 1 })
})

it.each<[string, PreparedOutcome, () => unknown]>([
  ['uses more than a shell that waits', 'too-large', () => use({ processes: 2 })],
  ['is gone', 'lost', () => isolation.sweep(new Set())],
])('one that has been taken, and then %s, is removed, and serves no launch', async (_, outcome, spoil) => {
  prepare('one')
  await waits(2)
  const early = await takeEarly('one')
  await spoil()
  await until('both are removed', () => prepared.outcomes(outcome) === 2 && isolation.left.size === 0)
  expect(early?.leave()).toBe(false)
  expect(await metrics()).toEqual({ [outcome]: 2 })
})

it('a launch never waits for one of another kind', async () => {
  const gates = holdCreations()
  prepare('one')
  await until('one is being created', () => gates.length === 1)
  expect(await take('two')).toBeUndefined()
  openAll(gates)
})

it('of several launches, one waits for what is being made, and the others do not wait in vain', async () => {
  const gates = holdCreations()
  prepare('one')
  await until('one is being created', () => gates.length === 1)
  const first = take('one')
  expect(await Promise.all([take('one'), take('one')])).toEqual([undefined, undefined])
  gates[0]!.resolve()
  expect(await first).toBeDefined()
  await until('the next one is being created', () => gates.length === 2)
  const second = take('one')
  gates[1]!.resolve()
  expect(await second).toBeDefined()
  openAll(gates)
})

it('one that is being created is released with those that wait', async () => {
  const gates = holdCreations()
  prepare('one')
  await until('one is being created', () => gates.length === 1)
  const cleared = prepared.clear()
  openAll(gates)
  await cleared
  expect([prepared.count, isolation.left.size]).toEqual([0, 0])
  prepare('one')
  await waits(2)
})

it('none is created, and no launch waits, if it is turned off', async () => {
  open({ limit: 0 })
  prepare('one')
  expect(await take('one')).toBeUndefined()
  await delay(20)
  expect([prepared.count, isolation.left.size]).toEqual([0, 0])
  expect(await metrics()).toEqual({})
})

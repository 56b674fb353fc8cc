import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Deferred } from '../../../base/deferred.js'
import { StagerOutput } from '../../../daemon/staging/stager-output.js'
import type { FakeContext, FakeStager } from '../../support/fake-isolation.js'
import { StagingHarness, call } from '../../support/staging-harness.js'

let harness: StagingHarness
/** The ids of the containers, in the order in which their programs have begun. */
let begun: string[]

async function open(concurrency: number, places: number): Promise<void> {
  harness = await StagingHarness.open(concurrency, places)
  await harness.addPackage('app', { state: 'uploaded' })
  await harness.addPackage('other', { state: 'uploaded' })
}
beforeEach(() => {
  begun = []
})
afterEach(async () => {
  vi.restoreAllMocks()
  await harness.close()
  expect([...harness.isolation.left], 'containers that were never released').toEqual([])
})

const done: FakeStager = async ({ url, plan }) => {
  begun.push(plan.id)
  await call(url, 'POST /done')
}
/** Works until `over` is resolved. */
const busyUntil =
  (over: Promise<void>): FakeStager =>
  async (context) => {
    await over
    await done(context)
  }
const submit = async (name: string, pipeline: string) => (await harness.submit(name, pipeline, { reuse: false })).uuid
const waiting = (count: number) => expect.poll(() => harness.isolation.waiting.size).toBe(count)
/** Everything that is made ahead for the stagings so far is there, or was left out. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 250))

describe('the next stager', () => {
  it('begins when the last one has ended, before the Engine has noticed', async () => {
    await open(1, 2)
    const noticed = new Deferred<void>()
    const last: FakeStager = async (context) => {
      const [first] = (await harness.parts.ledger.get(staging)).launches
      expect([first?.state, first?.exitCode]).toEqual(['done', undefined])
      noticed.resolve()
      await done(context)
    }
    await harness.addPipeline('pipe', { build: done, check: last })
    harness.isolation.noticed = noticed.promise
    const staging = await submit('app', 'pipe')
    harness.start()
    const { state } = await harness.ended(staging)
    expect(state).toBe('succeeded')
    const exitCodes = async () => (await harness.parts.ledger.get(staging)).launches.map(({ exitCode }) => exitCode)
    await expect.poll(exitCodes).toEqual([0, 0])
  })

  it('does not begin before the last one has ended, and its output comes after that of the last one', async () => {
    await open(1, 2)
    const over = new Deferred<void>()
    const printsLater: FakeStager = async (context) => {
      await done(context)
      await over.promise
      await context.print('last words')
    }
    await harness.addPipeline('pipe', { build: printsLater, check: done })
    harness.start()
    const staging = await submit('app', 'pipe')
    await expect.poll(async () => (await harness.parts.ledger.get(staging)).step).toBe(1)
    expect(begun).toHaveLength(1)
    over.resolve()
    await harness.ended(staging)
    const lines = await harness.log(staging)
    expect(lines.indexOf('last words')).toBeLessThan(lines.findIndex((line) => line.includes("'check'")))
  })

  it('has all mounted in its container while the last one goes on after its verdict', async () => {
    await open(1, 2)
    let wasMounted: readonly string[] = []
    const goesOn: FakeStager = async (context) => {
      await done(context)
      await expect.poll(() => harness.isolation.mounted.size).toBe(1)
      wasMounted = [...harness.isolation.mounted]
      expect(begun).toHaveLength(1)
      const { launches } = await harness.parts.ledger.get(staging)
      expect(launches).toHaveLength(1)
    }
    await harness.addPipeline('pipe', { build: goesOn, check: done })
    const staging = await submit('app', 'pipe')
    harness.start()
    expect((await harness.ended(staging)).launches).toMatchObject([{ exitCode: 0 }, { uuid: wasMounted[0] }])
    expect(begun[1]).toBe(wasMounted[0])
  })

  it('makes its own container if the one that waits for it is spoiled while the last one goes on', async () => {
    await open(1, 2)
    let spoiled: readonly string[] = []
    const goesOn: FakeStager = async (context) => {
      await done(context)
      await expect.poll(() => harness.isolation.mounted.size).toBe(1)
      spoiled = [...harness.isolation.mounted]
      await harness.isolation.sweep(new Set(begun))
    }
    await harness.addPipeline('pipe', { build: goesOn, check: done })
    harness.start()
    const { state, launches } = await harness.ended(await submit('app', 'pipe'))
    expect(state).toBe('succeeded')
    expect(launches.map(({ uuid }) => uuid)).toEqual(begun)
    expect(begun).not.toContain(spoiled[0])
  })

  it('never begins if the staging is cancelled while the last one goes on, whose output is still in the log', async () => {
    await open(1, 2)
    const goesOn: FakeStager = async (context) => {
      await done(context)
      await expect.poll(() => harness.isolation.mounted.size).toBe(1)
      await harness.service.cancel(staging)
      await context.print('last words')
    }
    await harness.addPipeline('pipe', { build: goesOn, check: done })
    const staging = await submit('app', 'pipe')
    harness.start()
    const { state, launches } = await harness.ended(staging)
    expect([state, launches.length, begun.length]).toEqual(['cancelled', 1, 1])
    expect((await harness.log(staging)).slice(-2)).toEqual(['last words', 'Staging was cancelled.'])
  })

  describe('while the output of the last one is still read', () => {
    let read: Deferred<void>
    beforeEach(async () => {
      await open(1, 2)
      read = new Deferred()
    })
    const printing: FakeStager = async (context) => {
      harness.isolation.arrives = read.promise
      void context.print('last words')
      await done(context)
      // That of the next one can be read at once.
      harness.isolation.arrives = Promise.resolve()
    }
    const CHECK = "Launching instance of stager 'check'..."
    const refused = ({ url }: FakeContext) => call(url, 'PUT /meta', new URLSearchParams({ resource: 'x' }), 448)

    it('begins; what it prints and what is to be said about it waits, and so does its verdict', async () => {
      const passed: string[] = []
      const next: FakeStager = async (context) => {
        const pass = (what: string) => () => passed.push(what)
        const printed = context.print('first words').then(pass('output'))
        await refused(context)
        const verdict = done(context).then(pass('verdict'))
        await settled()
        expect(passed).toEqual([])
        expect((await harness.staging(staging)).launches).toMatchObject([{ state: 'done' }, { state: 'running' }])
        read.resolve()
        await Promise.all([printed, verdict])
      }
      await harness.addPipeline('pipe', { build: printing, check: next })
      const staging = await submit('app', 'pipe')
      harness.start()
      expect((await harness.ended(staging)).state).toBe('succeeded')
      const lines = await harness.log(staging)
      const own = lines.slice(lines.indexOf('last words'))
      expect(own.slice(0, 2)).toEqual(['last words', CHECK])
      expect(own.slice(2).sort()).toEqual([
        expect.stringMatching(/^PUT \/meta was refused/),
        'Staging is complete.',
        'first words',
      ])
      expect(own.at(-1)).toBe('Staging is complete.')
    })

    it.each<[string, FakeStager]>([
      ['while it works', async ({ signal }) => void (await once(signal, 'abort'))],
      ['when it has ended', () => Promise.resolve()],
    ])('can be cancelled %s, and the log ends with that', async (_, next) => {
      const checked: FakeStager = async (context) => {
        await harness.service.cancel(staging)
        setTimeout(() => read.resolve(), 20)
        await next(context)
      }
      await harness.addPipeline('pipe', { build: printing, check: checked })
      const staging = await submit('app', 'pipe')
      harness.start()
      expect((await harness.ended(staging)).state).toBe('cancelled')
      expect((await harness.log(staging)).slice(-3)).toEqual(['last words', CHECK, 'Staging was cancelled.'])
    })

    it('never begins if the staging was cancelled before, and the log ends with that', async () => {
      const goesOn: FakeStager = async (context) => {
        await printing(context)
        await expect.poll(() => harness.isolation.mounted.size).toBe(1)
        await harness.service.cancel(staging)
        setTimeout(() => read.resolve(), 20)
      }
      await harness.addPipeline('pipe', { build: goesOn, check: done })
      const staging = await submit('app', 'pipe')
      harness.start()
      expect((await harness.ended(staging)).launches).toHaveLength(1)
      expect((await harness.log(staging)).slice(-2)).toEqual(['last words', 'Staging was cancelled.'])
    })

    it.each<[string, FakeStager]>([
      ['works', () => Promise.resolve()],
      ['tells its verdict', (context) => expect(done(context)).rejects.toThrow()],
    ])('is ended while it %s, and the staging fails, if that output cannot be written', async (_, next) => {
      vi.spyOn(StagerOutput.prototype, 'end').mockRejectedValueOnce(new Error('disk I/O error'))
      let isEnded = false
      const ending: FakeStager = async (context) => {
        read.resolve()
        await next(context)
        if (!context.signal.aborted) await once(context.signal, 'abort')
        isEnded = true
      }
      await harness.addPipeline('pipe', { build: printing, check: ending })
      harness.start()
      const { state, failure, launches, step } = await harness.ended(await submit('app', 'pipe'))
      expect([state, failure?.cause, step, launches.length]).toEqual(['failed', 'infrastructure', 1, 2])
      await expect.poll(() => isEnded).toBe(true)
    })
  })

  it('has what a launch of the same stager has left in its cache, however late its end is noticed', async () => {
    await open(1, 2)
    const noticed = new Deferred<void>()
    let found: string | undefined
    const caching: FakeStager = async (context) => {
      const { cache, url } = context
      if (begun.length > 0) {
        found = cache.get('of the first')
        await done(context)
        return
      }
      begun.push(context.plan.id)
      cache.set('of the first', 'this')
      await call(url, 'POST /relaunch')
      setTimeout(() => noticed.resolve(), 20)
    }
    await harness.addPipeline('pipe', { build: caching })
    harness.isolation.noticed = noticed.promise
    harness.start()
    await harness.ended(await submit('app', 'pipe'))
    expect(found).toBe('this')
  })
})

describe('a container is created ahead', () => {
  it('for each stager of a pipeline, while its first one works, as far as there are places', async () => {
    await open(1, 3)
    const over = new Deferred<void>()
    await harness.addPipeline('pipe', { one: busyUntil(over.promise), two: done, three: done, four: done })
    harness.start()
    const staging = await submit('app', 'pipe')
    await waiting(3)
    await settled()
    const ahead = new Set(harness.isolation.waiting)
    expect(ahead.size).toBe(3)
    over.resolve()
    await harness.ended(staging)
    // One was for a relaunch of the first, for which it comes before the stagers after the next.
    expect(begun.filter((id) => ahead.has(id))).toHaveLength(2)
  })

  it('for the first stager of a staging that is queued, which then takes it', async () => {
    await open(1, 2)
    const over = new Deferred<void>()
    await harness.addPipeline('long', { build: busyUntil(over.promise) })
    await harness.addPipeline('pipe', { check: done })
    harness.start()
    const running = await submit('app', 'long')
    await waiting(2)
    await harness.parts.prepared.clear()
    const queued = await submit('other', 'pipe')
    await waiting(1)
    const [ahead] = harness.isolation.waiting
    over.resolve()
    await harness.ended(running)
    await harness.ended(queued)
    expect(begun[1]).toBe(ahead)
  })

  it('for no queued staging, if all places are taken by what comes sooner', async () => {
    await open(1, 2)
    const over = new Deferred<void>()
    await harness.addPipeline('long', { build: busyUntil(over.promise), pack: done })
    await harness.addPipeline('pipe', { check: done })
    harness.start()
    const running = await submit('app', 'long')
    await waiting(2)
    const ahead = [...harness.isolation.waiting]
    const queued = await submit('other', 'pipe')
    await settled()
    expect([...harness.isolation.waiting]).toEqual(ahead)
    over.resolve()
    await harness.ended(running)
    await harness.ended(queued)
  })

  it('for no queued staging that was cancelled', async () => {
    await open(1, 2)
    const over = new Deferred<void>()
    await harness.addPipeline('long', { build: busyUntil(over.promise) })
    await harness.addPipeline('pipe', { check: done })
    harness.start()
    const running = await submit('app', 'long')
    await waiting(2)
    const queued = await submit('other', 'pipe')
    await settled()
    await harness.service.cancel(queued)
    await harness.parts.prepared.clear()
    over.resolve()
    await harness.ended(running)
    await waiting(2)
    const ahead = new Set(harness.isolation.waiting)
    await harness.ended(await submit('other', 'pipe'))
    expect(ahead).not.toContain(begun[1])
  })

  it('for nothing but the next stager, while one ends at once', async () => {
    await open(1, 6)
    await harness.addPipeline('pipe', { one: done, two: done, three: done })
    harness.start()
    await harness.ended(await submit('app', 'pipe'))
    // After the staging there are two for its first stager, and one for each of the others.
    await waiting(4)
    await settled()
    expect(harness.isolation.waiting.size).toBe(4)
    const ahead = new Set(harness.isolation.waiting)
    await harness.ended(await submit('app', 'pipe'))
    expect(begun.slice(3).filter((id) => ahead.has(id))).toHaveLength(3)
  })
})

it('stagers of a pipeline that differ in nothing get a container each', async () => {
  await open(1, 4)
  const over = new Deferred<void>()
  await harness.addPipeline('pipe', { build: busyUntil(over.promise) })
  const { stagers } = await harness.parts.pipelines.get({ namespace: '/', name: 'pipe' })
  const [build] = stagers
  await harness.parts.pipelines.create({ namespace: '/', name: 'three', stagers: [build!, build!, build!] })
  harness.start()
  const staging = await submit('app', 'three')
  // Two for the others, and two for relaunches.
  await waiting(4)
  over.resolve()
  await harness.ended(staging)
  expect(begun).toHaveLength(3)
})

import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Conflict, NotFound } from '../../base/errors.js'
import { MOST_LABELS } from '../../base/labels.js'
import type { Package } from '../../daemon/packages/package.js'
import type { Failure, Staging, StagingSource, WorkingCopy } from '../../daemon/model/staging.js'
import { packageDraft, resource, stagerSnapshot } from './samples.js'
import type { RepositoriesUnderTest } from './repositories.js'

const FAILURE: Failure = { cause: 'timeout', stager: 'job::/acme::one', message: 'Too slow.', hint: 'Hurry.' }

/** The contract of daemon/store/staging-ledger.ts and node-ledger.ts, for every implementation; that of terms is in terms.ts. */
export function describeLedger(name: string, make: () => Promise<RepositoriesUnderTest>): void {
  describe(name, () => {
    let { packages, ledger, close } = {} as RepositoriesUnderTest
    beforeEach(async () => {
      ;({ packages, ledger, close } = await make())
    })
    afterEach(() => close())

    const upload = (name = 'app') => packages.create(packageDraft(name, { resource: resource() }))
    const submit = (of: Package, ...stagers: string[]) =>
      ledger.submit({
        packageUuid: of.uuid,
        pipelineFqn: 'stagpipe::/acme::p',
        stagers: (stagers.length > 0 ? stagers : ['one', 'two']).map((name) => stagerSnapshot(name)),
      })
    const begin = async ({ uuid, step }: Staging, running = true) => {
      const launch = randomUUID()
      await ledger.beginLaunch(uuid, { uuid: launch, stagerFqn: 'job::/acme::one', step })
      if (running) await ledger.launchRunning(launch)
      return launch
    }
    const admit = async () => {
      const admitted = await ledger.admitNext()
      expect(admitted?.state).toBe('running')
      return admitted!
    }
    const worked = (on: Staging, key: string): WorkingCopy => ({
      ...on.work,
      environment: { ...on.work.environment, [key]: '1' },
      provides: [...on.work.provides, { type: 'package', name: key }],
      resource: resource({ sha256: 'c'.repeat(64), sha1: 'd'.repeat(40) }),
    })
    const refused = (work: Promise<unknown>) => expect(work).rejects.toMatchObject({ code: 'state-changed' })

    it('takes a package through its pipeline', async () => {
      const app = await upload()
      const queued = await submit(app)
      expect(queued).toMatchObject({
        state: 'queued',
        step: 0,
        packageUuid: app.uuid,
        packageFqn: 'package::/acme::app',
      })
      expect(queued.stagers.map((stager) => stager.name)).toEqual(['one', 'two'])
      expect(queued.work.resource).toEqual(app.resource)
      expect((await packages.get(app)).state).toBe('staging')

      const running = await admit()
      expect(running.startedAt).toBeDefined()
      const first = await begin(running)
      const advanced = await ledger.advance(first, worked(running, 'A'))
      expect(advanced).toMatchObject({ state: 'running', step: 1, work: { environment: { A: '1' } } })
      expect((await packages.get(app)).environment).toEqual({})

      const second = await begin(advanced)
      const done = await ledger.succeed(second, worked(advanced, 'B'))
      await ledger.recordExit(second, 0)
      expect(done).toMatchObject({ state: 'succeeded', failure: undefined })
      expect(done.endedAt).toBeDefined()
      const ready = await packages.get(app)
      expect(ready).toMatchObject({ ...done.work, state: 'ready', environment: { A: '1', B: '1' } })
      expect(ready.provides.map((provided) => provided.name)).toEqual(['A', 'B'])
      expect((await ledger.get(queued.uuid)).launches).toMatchObject([
        { uuid: first, state: 'done', step: 0, exitCode: undefined },
        { uuid: second, state: 'done', step: 1, exitCode: 0 },
      ])
    })

    it('admits in order of submission', async () => {
      const [a, b, c] = [
        await submit(await upload('a')),
        await submit(await upload('b')),
        await submit(await upload('c')),
      ]
      expect(a.sequence).toBeLessThan(b.sequence)
      await ledger.requestCancel(b.uuid)
      expect((await admit()).uuid).toBe(a.uuid)
      expect((await admit()).uuid).toBe(c.uuid)
      expect(await ledger.admitNext()).toBeUndefined()
      expect((await ledger.list({ state: 'running' })).map((staging) => staging.uuid)).toEqual([c.uuid, a.uuid])
    })

    it('accepts one open staging per package, and only for a package with data', async () => {
      const app = await upload()
      await submit(app)
      await expect(submit(app)).rejects.toMatchObject({ code: 'package-busy', name: 'Conflict' })
      await expect(submit(await packages.create(packageDraft('empty')))).rejects.toMatchObject({
        code: 'package-empty',
      })
      await expect(submit({ ...app, uuid: randomUUID() })).rejects.toThrow(NotFound)
      const nothing = ledger.submit({ packageUuid: app.uuid, pipelineFqn: 'p', stagers: [] })
      await expect(nothing).rejects.toMatchObject({ code: 'empty-pipeline' })
    })

    it('accepts no staging that needs more labels than a node can have', async () => {
      const app = await upload()
      const stagers = ['a', 'b'].map((name) => ({
        ...stagerSnapshot(name),
        labels: Array.from({ length: MOST_LABELS / 2 }, (_, n) => `${name}${n}`.padEnd(63, 'x')),
      }))
      const longest = { packageUuid: app.uuid, pipelineFqn: 'p', stagers }
      const more = { ...longest, stagers: [...stagers, { ...stagerSnapshot('c'), labels: ['c'] }] }
      await expect(ledger.submit(more)).rejects.toMatchObject({ code: 'too-many-labels', name: 'BadInput' })
      expect(await ledger.submit(longest)).toMatchObject({ state: 'queued' })
    })

    describe('has a staging go on after launches of an earlier one', () => {
      const from = (running: Staging, step = 0) => ({
        staging: randomUUID(),
        launches: [{ step, verdict: 'done' as const, given: 'g', work: worked(running, 'A') }],
      })

      it('which are launches that its result was made by', async () => {
        const app = await upload()
        await submit(app)
        const taken = from(await admit())
        const later = await ledger.takeOver((await ledger.list({ state: 'running' }))[0]!.uuid, taken)
        expect(later).toMatchObject({
          state: 'running',
          step: 1,
          launches: [],
          takenOver: { staging: taken.staging, stagers: 1 },
          work: { environment: { A: '1' } },
        })
        expect(await ledger.get(later.uuid)).toEqual(later)
        await ledger.succeed(await begin(later), worked(later, 'B'))
        const [result] = await ledger.results(later.uuid)
        expect(result?.making?.launches).toMatchObject([
          { step: 0, given: 'g', work: { environment: { A: '1' } } },
          { step: 1, work: { environment: { A: '1', B: '1' } } },
        ])
        expect(result?.making?.input).toMatchObject({ environment: {}, resource: { sha256: app.resource?.sha256 } })
      })

      it('unless it has begun, or has no stager after them, or is not running', async () => {
        const queued = await submit(await upload())
        await refused(ledger.takeOver(queued.uuid, from(queued)))
        const running = await admit()
        await refused(ledger.takeOver(running.uuid, { staging: randomUUID(), launches: [] }))
        await refused(ledger.takeOver(running.uuid, from(running, 1)))
        const launch = await begin(running)
        await refused(ledger.takeOver(running.uuid, from(running)))
        await ledger.abortLaunch(launch)
        await refused(ledger.takeOver(running.uuid, from(running)))
        expect(await ledger.get(running.uuid)).toMatchObject({ step: 0, work: running.work })
      })

      it('once, and is not answered as a whole then', async () => {
        const app = await upload()
        await submit(app, 'one')
        const first = await admit()
        await ledger.succeed(await begin(first), first.work)
        await submit(app)
        const running = await admit()
        await ledger.takeOver(running.uuid, from(running))
        await refused(ledger.takeOver(running.uuid, from(running)))
        await refused(ledger.answer(running.uuid, 1))
      })
    })

    it('keeps the changes of a relaunch and counts relaunches', async () => {
      await submit(await upload())
      const running = await admit()
      const relaunched = await ledger.relaunch(await begin(running), worked(running, 'A'))
      expect(relaunched).toMatchObject({ state: 'running', step: 0, relaunches: 1, work: { environment: { A: '1' } } })
      const advanced = await ledger.advance(await begin(relaunched), relaunched.work)
      expect(advanced).toMatchObject({ step: 1, relaunches: 0 })
      expect(advanced.launches.map((launch) => launch.state)).toEqual(['relaunched', 'done'])
    })

    it('keeps no changes of an aborted launch, and counts interruptions until the next verdict', async () => {
      await submit(await upload())
      const running = await admit()
      await ledger.abortLaunch(await begin(running, false))
      const aborted = await ledger.abortLaunch(await begin(running))
      expect(aborted).toMatchObject({ state: 'running', step: 0, interruptions: 2, work: running.work })
      expect((await ledger.relaunch(await begin(aborted), aborted.work)).interruptions).toBe(0)
    })

    it.each(['uploaded', 'ready'] as const)('restores a package that was %s when its staging fails', async (state) => {
      const app = await packages.create(packageDraft('app', { resource: resource(), state }))
      await submit(app)
      const advanced = await ledger.advance(
        await begin(await admit()),
        worked(await ledger.get((await ledger.list({ state: 'running' }))[0]!.uuid), 'A'),
      )
      const launch = await begin(advanced)
      const failed = await ledger.fail(advanced.uuid, launch, FAILURE)
      expect(failed).toMatchObject({
        state: 'failed',
        failure: FAILURE,
        launches: [{ state: 'done' }, { state: 'failed' }],
      })
      expect(failed.work.environment).toEqual({ A: '1' })
      const after = await packages.get(app)
      expect({ ...after, state, updatedAt: app.updatedAt }).toEqual(app)
      // Packages that others depend on stay ready.
      expect(after.state).toBe(state === 'ready' ? 'ready' : 'failed')
      // The package can be staged again.
      expect((await submit(after)).work.environment).toEqual({})
    })

    it('stages a separate source, which replaces the data of the package only on success', async () => {
      const app = await packages.create(packageDraft('app', { resource: resource(), state: 'ready' }))
      const source: StagingSource = { resource: resource(), dependencies: [], environment: { B: '2' } }
      const request = {
        packageUuid: app.uuid,
        pipelineFqn: 'stagpipe::/acme::pipe',
        stagers: [stagerSnapshot('one')],
        source,
      }
      const queued = await ledger.submit(request)
      expect(queued).toMatchObject({ source, work: { resource: source.resource, environment: { B: '2' } } })
      await ledger.fail((await admit()).uuid, undefined, FAILURE)
      expect({ ...(await packages.get(app)), updatedAt: app.updatedAt }).toEqual(app)

      await ledger.submit(request)
      const running = await admit()
      await ledger.succeed(await begin(running), running.work)
      expect(await packages.get(app)).toMatchObject({
        state: 'ready',
        resource: source.resource,
        environment: { B: '2' },
      })
    })

    describe('keeps a staging that awaits its source', () => {
      const source: StagingSource = {
        resource: resource({ sha256: 'e'.repeat(64) }),
        dependencies: [],
        environment: { NEW: '2' },
        ownEnvironment: true,
      }
      const wait = (of: Package, uuid = randomUUID()) =>
        ledger.submit({
          packageUuid: of.uuid,
          pipelineFqn: 'p',
          stagers: [stagerSnapshot('s')],
          uuid,
          awaitsSource: true,
        })
      const uploadWith = (environment: Readonly<Record<string, string>>) =>
        packages.create({ ...packageDraft('app'), resource: resource(), environment })

      it('out of the queue until it has it, and in its place then', async () => {
        const uuid = randomUUID()
        expect(await wait(await uploadWith({ OLD: '1' }), uuid)).toMatchObject({
          uuid,
          state: 'queued',
          awaitsSource: true,
        })
        const later = await submit(await upload('other'))
        expect((await admit()).uuid).toBe(later.uuid)
        expect(await ledger.admitNext()).toBeUndefined()
        await submit(await upload('last'))

        const supplied = await ledger.supply(uuid, source)
        expect(supplied).toMatchObject({ state: 'queued', awaitsSource: false, source })
        expect(supplied.work).toMatchObject({ resource: source.resource, environment: { NEW: '2' }, dependencies: [] })
        expect(supplied.input).toEqual(supplied.work)
        expect((await admit()).uuid).toBe(uuid)
      })

      it('and fails without it: the package is what it was before', async () => {
        const app = await upload()
        const { uuid } = await wait(app)
        expect(await ledger.refuse(uuid, FAILURE)).toMatchObject({
          ...{ state: 'failed', failure: FAILURE, awaitsSource: true, launches: [] },
          endedAt: expect.any(String) as string,
        })
        expect(await packages.get(app)).toMatchObject({ state: 'uploaded', resource: app.resource })
        expect((await submit(app)).state).toBe('queued')
      })

      it('and is cancelled at once', async () => {
        const app = await upload()
        const { uuid } = await wait(app)
        expect(await ledger.requestCancel(uuid)).toMatchObject({ state: 'cancelled', awaitsSource: true })
        expect((await packages.get(app)).state).toBe('uploaded')
        await refused(ledger.supply(uuid, source))
        await refused(ledger.refuse(uuid, FAILURE))
      })

      it('and no other one', async () => {
        const { uuid } = await submit(await upload())
        await refused(ledger.supply(uuid, source))
        await refused(ledger.refuse(uuid, FAILURE))
        await expect(ledger.supply(randomUUID(), source)).rejects.toMatchObject({ code: 'staging-not-found' })
      })
    })

    it('answers a staging that is submitted with a result of its package, in one transaction', async () => {
      const app = await upload()
      const request = {
        packageUuid: app.uuid,
        pipelineFqn: 'stagpipe::/acme::p',
        stagers: [stagerSnapshot('one')],
        source: { resource: resource(), dependencies: undefined, environment: undefined },
      }
      await ledger.submit(request)
      const first = await admit()
      await ledger.succeed(await begin(first), worked(first, 'A'))
      const made = await packages.get(app)

      const answered = await ledger.submit(request, (staging, results) => {
        expect(staging).toMatchObject({ state: 'queued', work: { resource: request.source.resource } })
        return results[0]
      })
      expect(answered).toMatchObject({ state: 'succeeded', reused: first.uuid, launches: [] })
      expect(answered.startedAt).toBe(answered.endedAt)
      expect({ ...(await packages.get(app)), updatedAt: made.updatedAt }).toEqual(made)
      expect(await ledger.admitNext()).toBeUndefined()

      const refusal = new Error('no answer')
      const failing = ledger.submit(request, () => {
        throw refusal
      })
      await expect(failing).rejects.toBe(refusal)
      expect((await packages.get(app)).state, 'nothing is written').toBe('ready')
      expect((await ledger.submit(request, () => undefined)).state).toBe('queued')
    })

    it('leaves a ready package usable, with its data from before, until its new staging has succeeded', async () => {
      const library = await packages.create(packageDraft('library', { resource: resource(), state: 'ready' }))
      const app = await upload('app')
      const usable = async () => (await packages.listUsable()).map(({ uuid, resource }) => [uuid, resource])
      const before = [[library.uuid, library.resource]]
      const restaged = async () => {
        await submit(await packages.get(library), 'one')
        expect(await packages.get(library)).toMatchObject({ state: 'staging', usable: true })
        expect(await usable()).toEqual(before)
        return await admit()
      }
      const failed = await restaged()
      await ledger.fail(failed.uuid, await begin(failed), FAILURE)
      expect(await usable()).toEqual(before)
      const cancelled = await restaged()
      await ledger.requestCancel(cancelled.uuid)
      await ledger.cancel(cancelled.uuid)
      expect(await usable()).toEqual(before)
      const done = await restaged()
      const made = worked(done, 'A')
      await ledger.succeed(await begin(done), made)
      expect(await usable()).toEqual([[library.uuid, made.resource]])

      await submit(app, 'one')
      expect(await packages.get(app)).toMatchObject({ state: 'staging', usable: false })
      expect(await usable()).toHaveLength(1)
    })

    it('can fail a staging before any launch, and by a fault of stagerd', async () => {
      await submit(await upload('a'))
      const unresolved: Failure = { ...FAILURE, cause: 'unresolved', stager: undefined }
      const failed = await ledger.fail((await admit()).uuid, undefined, unresolved)
      expect(failed).toMatchObject({ state: 'failed', failure: unresolved, launches: [] })
      await submit(await upload('b'))
      const running = await admit()
      const ours = await ledger.fail(running.uuid, await begin(running), { ...FAILURE, cause: 'infrastructure' })
      expect(ours.launches).toMatchObject([{ state: 'aborted' }])
    })

    it('can replace the hint of a failure, and of nothing else', async () => {
      await submit(await upload())
      const running = await admit()
      await expect(ledger.replaceHint(running.uuid, 'Wait.')).rejects.toMatchObject({ code: 'state-changed' })
      await ledger.fail(running.uuid, undefined, FAILURE)
      const hint = `"Add" it with '--memory'; so it's done.`
      const replaced = await ledger.replaceHint(running.uuid, hint)
      expect(replaced).toMatchObject({ state: 'failed', failure: { ...FAILURE, hint } })
      expect(await ledger.get(running.uuid)).toEqual(replaced)
      await expect(ledger.replaceHint(randomUUID(), hint)).rejects.toThrow(NotFound)
    })

    describe('cancels', () => {
      it('a queued staging immediately', async () => {
        const app = await packages.create(packageDraft('app', { resource: resource(), state: 'ready' }))
        const { uuid } = await submit(app)
        expect(await ledger.requestCancel(uuid)).toMatchObject({ state: 'cancelled' })
        expect((await packages.get(app)).state).toBe('ready')
        expect(await ledger.admitNext()).toBeUndefined()
      })

      it('a running staging after its container has ended', async () => {
        const app = await upload()
        await submit(app)
        const running = await admit()
        await refused(ledger.cancel(running.uuid))
        const advanced = await ledger.advance(await begin(running), worked(running, 'A'))
        await begin(advanced, false)
        expect(await ledger.requestCancel(running.uuid)).toMatchObject({ state: 'running', cancelRequested: true })
        expect(await ledger.cancel(running.uuid)).toMatchObject({
          state: 'cancelled',
          launches: [{ state: 'done' }, { state: 'aborted' }],
        })
        expect({ ...(await packages.get(app)), updatedAt: app.updatedAt }).toEqual(app)
      })

      it('no staging that has ended', async () => {
        const { uuid } = await submit(await upload())
        await ledger.requestCancel(uuid)
        await expect(ledger.requestCancel(uuid)).rejects.toMatchObject({ code: 'staging-ended', name: 'Conflict' })
        await expect(ledger.requestCancel(randomUUID())).rejects.toMatchObject({ code: 'staging-not-found' })
      })
    })

    describe('refuses, and writes nothing, when', () => {
      let queued: Staging
      beforeEach(async () => {
        queued = await submit(await upload())
      })

      it('a launch begins for a staging that is not running', async () => {
        await refused(begin(queued))
        expect((await ledger.get(queued.uuid)).launches).toEqual([])
      })
      it('a launch begins while another one is open, or for another step', async () => {
        const running = await admit()
        await refused(begin({ ...running, step: 1 }))
        await begin(running)
        await refused(begin(running))
      })
      it('a launch that has ended gets a second verdict', async () => {
        const running = await admit()
        const launch = await begin(running)
        await ledger.advance(launch, running.work)
        for (const again of [
          () => ledger.advance(launch, running.work),
          () => ledger.relaunch(launch, running.work),
          () => ledger.succeed(launch, running.work),
          () => ledger.abortLaunch(launch),
          () => ledger.fail(running.uuid, launch, FAILURE),
          () => ledger.launchRunning(launch),
        ])
          await refused(again())
        expect(await ledger.get(running.uuid)).toMatchObject({ state: 'running', step: 1 })
      })
      it('the staging advances past the last stager, or succeeds before it', async () => {
        const running = await admit()
        const first = await begin(running)
        await refused(ledger.succeed(first, worked(running, 'A')))
        expect(await ledger.get(running.uuid)).toMatchObject({ work: running.work, launches: [{ state: 'running' }] })
        const advanced = await ledger.advance(first, running.work)
        const last = await begin(advanced)
        await refused(ledger.advance(last, running.work))
        await ledger.succeed(last, running.work)
      })
      it('a staging fails that is not running, without its open launch, or with the launch of another staging', async () => {
        await refused(ledger.fail(queued.uuid, undefined, FAILURE))
        const running = await admit()
        const launch = await begin(running)
        await refused(ledger.fail(running.uuid, undefined, FAILURE))
        const other = await submit(await upload('other'))
        await admit()
        await refused(ledger.fail(other.uuid, launch, FAILURE))
        expect((await ledger.get(running.uuid)).launches).toMatchObject([{ state: 'running' }])
      })
      it('an exit is recorded for a launch that never ran, or twice', async () => {
        const launch = await begin(await admit(), false)
        await refused(ledger.recordExit(launch, 0))
        await ledger.launchRunning(launch)
        await refused(ledger.launchRunning(launch))
        await ledger.recordExit(launch, 3)
        await refused(ledger.recordExit(launch, 0))
        expect((await ledger.get(queued.uuid)).launches).toMatchObject([{ exitCode: 3 }])
      })
      it('the launch does not exist', async () => {
        await expect(ledger.launchRunning(randomUUID())).rejects.toThrow(NotFound)
        await expect(ledger.advance(randomUUID(), queued.work)).rejects.toThrow(NotFound)
      })
      it('several transitions are requested at once: exactly one succeeds', async () => {
        const running = await admit()
        const launch = await begin(running)
        const results = await Promise.allSettled([
          ledger.advance(launch, running.work),
          ledger.fail(running.uuid, launch, FAILURE),
          ledger.relaunch(launch, running.work),
          ledger.abortLaunch(launch),
        ])
        const lost = results.filter((result) => result.status === 'rejected')
        expect(lost).toHaveLength(3)
        for (const { reason } of lost) expect(reason).toBeInstanceOf(Conflict)
      })
    })

    it('lists stagings, newest first, by state, package, pipeline and time, up to a limit', async () => {
      const app = await upload('app')
      const first = await submit(app)
      await ledger.requestCancel(first.uuid)
      const second = await submit(app)
      const other = await submit(await upload('other'))
      const uuids = async (filter: Parameters<typeof ledger.list>[0]) =>
        (await ledger.list(filter)).map(({ uuid }) => uuid)
      expect(await uuids({})).toEqual([other.uuid, second.uuid, first.uuid])
      expect(await uuids({ limit: 2 })).toEqual([other.uuid, second.uuid])
      expect(await uuids({ state: 'queued' })).toEqual([other.uuid, second.uuid])
      expect(await uuids({ packageUuid: app.uuid })).toEqual([second.uuid, first.uuid])
      expect(await uuids({ packageUuid: app.uuid, state: 'cancelled' })).toEqual([first.uuid])
      expect(await uuids({ pipelineFqn: 'stagpipe::/acme::p' })).toHaveLength(3)
      expect(await uuids({ pipelineFqn: 'stagpipe::/acme::q' })).toEqual([])
      const at = new Date(other.submittedAt)
      expect(await uuids({ since: at })).toContain(other.uuid)
      expect(await uuids({ since: new Date(at.getTime() + 1) })).toEqual([])
    })
  })
}

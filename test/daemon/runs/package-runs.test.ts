import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { stagerSnapshot } from '../../contract/samples.js'
import type { FakeContext } from '../../support/fake-isolation.js'
import { LIMITS, RunsUnderTest, untilStopped } from './runs-under-test.js'
import { nodeLedgerOf } from '../../support/fleet/node-ledger.js'

describe('runs of packages', () => {
  let under: RunsUnderTest
  beforeEach(async () => {
    under = await RunsUnderTest.open()
  })
  afterEach(() => under.close())

  it('hold the blobs of their closure while their layers are built', async () => {
    const os = { type: 'os', name: 'linux' } as const
    const { resource } = await under.addPackage('debian', { provides: [os] })
    const app = await under.addPackage('app', { environment: { START_COMMAND: './app' }, dependencies: [os] })
    let held: ReadonlySet<string> | undefined
    vi.spyOn(under.isolation, 'prepare').mockImplementationOnce(() => {
      held = under.liveBlobs.snapshot()
      return Promise.reject(new Error('no network'))
    })
    await expect(under.start()).rejects.toThrow('no network')
    expect(held).toEqual(new Set([resource!.sha256, app.resource!.sha256]))
    expect(under.liveBlobs.snapshot()).toEqual(new Set())
  })

  describe('end', () => {
    it('with exit code 0, and their output is passed on', async () => {
      await under.addApp(async ({ print }) => {
        await print('one')
        await print('two')
      })
      const { ended } = await under.start()
      expect(await ended).toEqual({ exitCode: 0, reason: 'exited' })
      expect(under.written).toEqual(['stdout: one\n', 'stdout: two\n'])
    })

    it('with the exit code of the program', async () => {
      await under.addApp(async ({ exit }) => Promise.resolve(exit(42)))
      expect(await (await under.start()).ended).toEqual({ exitCode: 42, reason: 'exited' })
    })

    it('when the client disconnects', async () => {
      await under.addApp(untilStopped)
      const client = new AbortController()
      const { ended } = await under.start({}, client.signal)
      client.abort()
      expect(await ended).toEqual({ reason: 'stopped' })
    })

    it('when they are stopped, also repeatedly', async () => {
      await under.addApp(untilStopped)
      const program = await under.start()
      program.stop()
      program.stop()
      expect(await program.ended).toEqual({ reason: 'stopped' })
      program.stop()
    })

    it('when the daemon stops, which waits until all of them are released', async () => {
      await under.addApp(untilStopped)
      const programs = [await under.start(), await under.start()]
      expect(under.isolation.left.size).toBe(2)
      await under.runs.stop()
      expect(under.isolation.left.size).toBe(0)
      for (const { ended } of programs) expect(await ended).toEqual({ reason: 'stopped' })
      await expect(under.start()).rejects.toMatchObject({ code: 'stopping' })
    })

    it('when the daemon stops while their image is loaded, which waits for that too', async () => {
      await under.addApp(untilStopped)
      const prepare = under.isolation.prepare.bind(under.isolation)
      let begin = (): void => undefined
      const begun = new Promise<void>((resolve) => (begin = resolve))
      under.isolation.prepare = async (plan, hooks, signal) => {
        begin()
        under.isolation.left.add(plan.id)
        await once(signal, 'abort')
        await new Promise(setImmediate)
        under.isolation.left.delete(plan.id)
        return await prepare(plan, hooks, signal)
      }
      const starting = expect(under.start()).rejects.toMatchObject({ code: 'stopping' })
      await begun
      expect([...under.live.ids]).toEqual([...under.isolation.left])
      await under.runs.stop()
      expect(under.isolation.left.size).toBe(0)
      expect(under.live.ids.size).toBe(0)
      await starting
    })

    it('at the timeout of the request', async () => {
      await under.addApp(untilStopped)
      expect(await (await under.start({ limits: { timeoutMs: 20 } })).ended).toEqual({ reason: 'timeout' })
    })

    it.each<[reason: string, exceed: (context: FakeContext) => void]>([
      ['out-of-memory', ({ allocate }) => allocate(LIMITS.memoryBytes + 1)],
      ['disk-full', ({ writeFile }) => writeFile('/x', 'x'.repeat(LIMITS.diskBytes + 1))],
      ['pids-limit', ({ fork }) => fork(LIMITS.pids + 1)],
    ])('with "%s" at the default limit', async (reason, exceed) => {
      await under.addApp(async (context) => {
        exceed(context)
        await untilStopped(context)
      })
      expect(await (await under.start()).ended).toEqual({ reason })
    })

    it('when the Engine is lost', async () => {
      await under.addApp(untilStopped)
      const { ended } = await under.start()
      under.isolation.loseEngine(new Error('the Engine is gone'))
      expect(await ended).toEqual({ reason: 'engine-lost: the Engine is gone' })
    })

    it('even if a resource cannot be removed, which is logged', async () => {
      await under.addApp(() => Promise.resolve())
      under.isolation.undoFailures = [{ what: 'remove the bridge', error: new Error('busy') }]
      const { ended, id } = await under.start()
      expect(await ended).toEqual({ exitCode: 0, reason: 'exited' })
      expect(under.logged).toHaveLength(1)
      expect(JSON.parse(under.logged[0]!)).toMatchObject({
        run: id,
        what: 'remove the bridge',
        err: { message: 'busy' },
      })
    })
  })

  describe('are protected from sweeps', () => {
    it('as long as they run', async () => {
      await under.addApp(untilStopped)
      const program = await under.start()
      expect([...under.live.ids]).toEqual([program.id])
      program.stop()
      await program.ended
      expect([...under.live.ids]).toEqual([])
    })
  })

  describe('are rejected, and leave nothing,', () => {
    it('for a package that does not exist', async () => {
      await expect(under.start()).rejects.toMatchObject({ code: 'package-not-found' })
    })

    it('for a package that is not ready, unless it was before it was staged anew', async () => {
      await under.addPackage('app', { state: 'uploaded' })
      await expect(under.start()).rejects.toMatchObject({
        code: 'package-not-ready',
        message: 'package::/::app is uploaded: only a ready package can run; stage it first.',
      })
      under.isolation.stagers.set('./app', () => Promise.resolve())
      const { uuid } = await under.addPackage('library', { environment: { START_COMMAND: './app' } })
      const stagers = [stagerSnapshot('one')]
      await under.store.ledger.submit({ packageUuid: uuid, pipelineFqn: 'stagpipe::/::pipe', stagers })
      const { ended } = await under.start({ package: { uuid } })
      expect(await ended).toEqual({ exitCode: 0, reason: 'exited' })
    })

    it('for a package whose staging has failed, with the reason and where to look', async () => {
      const { uuid } = await under.addPackage('app', { state: 'uploaded' })
      const staging = await under.store.ledger.submit({
        packageUuid: uuid,
        pipelineFqn: 'stagpipe::/::pipe',
        stagers: [stagerSnapshot('one')],
      })
      await expect(under.start()).rejects.toMatchObject({
        message: `package::/::app is being staged: only a ready package can run; follow the staging with \`stagectl staging logs --follow ${staging.uuid}\`.`,
      })
      const ledger = await nodeLedgerOf(under.store)
      await ledger.admitNext()
      await ledger.fail(staging.uuid, undefined, {
        cause: 'unresolved',
        stager: undefined,
        message: 'runtime.node-99 cannot be resolved:\nnothing provides it.',
        hint: 'Import it.',
      })
      await expect(under.start()).rejects.toMatchObject({
        code: 'package-not-ready',
        message: `package::/::app cannot run, because its staging has failed (unresolved: runtime.node-99 cannot be resolved): see \`stagectl staging logs ${staging.uuid}\`, and stage it again.`,
      })
    })

    it('for a package without a start command', async () => {
      await under.addPackage('app')
      await expect(under.start()).rejects.toMatchObject({
        code: 'no-start-command',
        message: 'package::/::app has no START_COMMAND: give one with --command or -e START_COMMAND=…',
      })
    })

    it('for a dependency that no package provides', async () => {
      await under.addPackage('app', {
        environment: { START_COMMAND: './app' },
        dependencies: [{ type: 'runtime', name: 'cobol' }],
      })
      await expect(under.start()).rejects.toMatchObject({ code: 'unresolved' })
    })

    it('when the client has already disconnected', async () => {
      await under.addApp(untilStopped)
      await expect(under.start({}, AbortSignal.abort(new Error('the client is gone')))).rejects.toThrow(
        'the client is gone',
      )
    })

    it('while the Engine is down', async () => {
      await under.addApp(untilStopped)
      under.isolation.down = new Error('the Engine is down')
      await expect(under.start()).rejects.toThrow('the Engine is down')
    })

    it('when the container cannot be started', async () => {
      await under.addPackage('app', { environment: { START_COMMAND: './not-in-the-root' } })
      await expect(under.start()).rejects.toMatchObject({ code: 'no-such-program' })
    })
  })
})

import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { MOST_WAITING_BYTES } from '../../daemon/staging/waiting-bounds.js'
import type { PreparedContainer, PrepareHooks } from '../../isolation/isolation.js'
import type { StartPlan } from '../../isolation/launch-plan.js'
import {
  idle,
  planOf,
  POST,
  Recorder,
  type IsolationUnderTest,
  type Program,
  type WholePlan,
} from './isolation-under-test.js'

/** The part of the contract of isolation/isolation.ts about containers that are created ahead of their launch. */
export function describeCreatedAhead(
  opened: () => IsolationUnderTest,
  releaseLater: (made: Pick<PreparedContainer, 'release'>) => void,
): void {
  describe('created ahead', () => {
    const aheadOf = async (plan: WholePlan, recorder: Recorder) => {
      const signal = new AbortController().signal
      const container = await opened().isolation.prepare(plan, recorder, signal)
      releaseLater(container)
      const url = await recorder.listen(container.address)
      const { command, workingDirectory, limits } = plan
      await container.createAhead({ command, workingDirectory, limits, coordinatorPort: recorder.port }, signal)
      const begin = (more: Partial<StartPlan> = {}) => {
        const environment = { ...more.environment, STAGER_URL: url }
        return container.start({ ...plan, ...more, environment, coordinatorPort: recorder.port }, recorder, signal)
      }
      return { container, begin }
    }
    const finished = async (recorder: Recorder) => {
      await recorder.close()
      return recorder.stdout
    }

    it('waits, and then runs its program as any other', async () => {
      const recorder = new Recorder()
      const program: Program = {
        shell: `${POST}post /done; echo; echo to err >&2; exit 3`,
        fake: async ({ url, print, exit }) => {
          await print(await (await fetch(`${url}/done`, { method: 'POST' })).text())
          exit(3)
        },
      }
      const { container, begin } = await aheadOf(planOf(opened(), program), recorder)
      expect(container.isWaiting).toBe(true)
      expect(recorder.steps).toContain('create')
      const running = await begin()
      expect(await running.ended).toEqual({ kind: 'exited', exitCode: 3 })
      expect(recorder.asked).toEqual(['POST /launch/done'])
      expect(await finished(recorder)).toContain('OK')
    })

    it('has every variable as it is, and its cache', async () => {
      const recorder = new Recorder()
      const all = String.fromCodePoint(...Array.from({ length: 0x17e }, (_, index) => index + 1))
      const environment = {
        PLAIN: 'a \'b\' "c" $d `e` \\n \\0101 %s *  ',
        LINES: '\n one\n\n\ttwo \n\n',
        ALL: all,
        EMPTY: '',
        start: 'mine',
        status: 'mine',
        PATH: '/nowhere:/bin:/usr/bin',
      }
      const names = Object.keys(environment)
      const program: Program = {
        shell: names.map((name) => `printf '%s|' "$${name}" | od -An -v -tx1 | tr -d ' \n'; echo`).join('; '),
        fake: async ({ plan, print }) => {
          for (const name of names) await print(Buffer.from(`${plan.environment[name] ?? ''}|`).toString('hex'))
        },
      }
      const cache = { packageUuid: randomUUID(), stagerUuid: randomUUID() }
      const { begin } = await aheadOf({ ...planOf(opened(), program), cache }, recorder)
      expect(await (await begin({ environment })).ended).toEqual({ kind: 'exited', exitCode: 0 })
      const hex = Object.values(environment).map((value) => Buffer.from(`${value}|`).toString('hex'))
      expect((await finished(recorder)).trim().split('\n')).toEqual(hex)
    })

    it('has all mounted before it begins, and begins only when it is started', async () => {
      const recorder = new Recorder()
      const cache = { packageUuid: randomUUID(), stagerUuid: randomUUID() }
      const program: Program = {
        shell:
          'echo began; test -e /stagerfs/proc/1/status -a -e /stagerfs/dev/null -a -d /stagerfs/tmp && : >"$STAGER_CACHE/file" && echo ok',
        fake: async ({ print }) => {
          await print('began')
          await print('ok')
        },
      }
      const plan = { ...planOf(opened(), program), cache }
      const { container, begin } = await aheadOf(plan, recorder)
      await container.mountAhead(plan, new AbortController().signal)
      expect(container.isWaiting).toBe(true)
      expect(recorder.stdout).toBe('')
      const steps = recorder.steps.filter((step) => step === 'stagerfs' || step === 'cache')
      const running = await begin({ environment: { STAGER_CACHE: '/stager-cache' } })
      expect(recorder.steps.filter((step) => step === 'stagerfs' || step === 'cache')).toEqual(steps)
      expect(await running.ended).toEqual({ kind: 'exited', exitCode: 0 })
      expect((await finished(recorder)).trim().split('\n')).toEqual(['began', 'ok'])
    })

    it('is released whole while all is being mounted, and afterwards', async () => {
      for (const waits of [false, true]) {
        const recorder = new Recorder()
        const plan = { ...planOf(opened(), idle), cache: { packageUuid: randomUUID(), stagerUuid: randomUUID() } }
        const { container } = await aheadOf(plan, recorder)
        const mounting = container.mountAhead(plan, new AbortController().signal)
        if (waits) await mounting
        expect(await container.release()).toEqual({ failures: [] })
        await mounting
        await recorder.close()
        expect(await opened().traces()).toEqual([])
      }
    })

    it('does not start if its mounts have been cancelled', async () => {
      const recorder = new Recorder()
      const plan = planOf(opened(), idle)
      const { container, begin } = await aheadOf(plan, recorder)
      await container.mountAhead(plan, AbortSignal.abort(new Error('changed my mind')))
      await expect(begin()).rejects.toThrow('changed my mind')
      await recorder.close()
    })

    it('can be released while it waits', async () => {
      const recorder = new Recorder()
      const { container } = await aheadOf(planOf(opened(), idle), recorder)
      const use = await container.waitingUse()
      expect(use?.memoryBytes).toBeGreaterThan(0)
      expect(use?.memoryBytes).toBeLessThan(MOST_WAITING_BYTES)
      expect(use).toMatchObject({ processes: 1 })
      expect(await container.release()).toEqual({ failures: [] })
      expect(container.isWaiting).toBe(false)
      expect(await container.waitingUse()).toBeUndefined()
      await recorder.close()
      expect(await opened().traces()).toEqual([])
    })

    it('is swept as any other', async () => {
      const recorder = new Recorder()
      const plan = planOf(opened(), idle)
      await aheadOf(plan, recorder)
      expect((await opened().isolation.sweep(new Set([plan.id]))).removed).toEqual([])
      expect((await opened().isolation.sweep(new Set())).removed.length).toBeGreaterThan(0)
      expect(await opened().traces()).toEqual([])
      await recorder.close()
    })

    it('leaves nothing behind when that is cancelled', async () => {
      const cancel = new AbortController()
      const hooks: PrepareHooks = { step: (name) => name === 'create' && cancel.abort(new Error('changed my mind')) }
      const plan = planOf(opened(), idle)
      const container = await opened().isolation.prepare(plan, hooks, cancel.signal)
      releaseLater(container)
      await expect(container.createAhead(plan, cancel.signal)).rejects.toThrow('changed my mind')
      expect(await container.release()).toEqual({ failures: [] })
      expect(await opened().traces()).toEqual([])
    })
  })
}

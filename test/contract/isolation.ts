import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { Deferred } from '../../base/deferred.js'
import type { PreparedContainer, PrepareHooks } from '../../isolation/isolation.js'
import type { LayerContent, Limits } from '../../isolation/launch-plan.js'
import { describeCreatedAhead } from './created-ahead.js'
import { describeGivenDirectories } from './given-directories.js'
import { describeImages } from './images.js'
import {
  filesOf,
  idle,
  launch,
  planOf,
  POST,
  Recorder,
  type IsolationUnderTest,
  type Program,
} from './isolation-under-test.js'
import { describeKept } from './kept-containers.js'

const MIB = 2 ** 20

/** The contract of isolation/isolation.ts, for every implementation. */
export function describeIsolation(name: string, make: () => Promise<IsolationUnderTest>): void {
  describe(name, () => {
    let under: IsolationUnderTest
    const made: Pick<PreparedContainer, 'release'>[] = []
    beforeAll(async () => {
      under = await make()
    })
    afterEach(async () => {
      await Promise.all(made.splice(0).map((container) => container.release()))
      const left = await under.traces()
      // So that it does not affect the next test.
      if (left.length > 0) await under.isolation.sweep(new Set())
      expect(left).toEqual([])
    })
    afterAll(() => under.close())
    const launchOf = async (program: Program, recorder: Recorder, limits: Partial<Limits> = {}) => {
      const launched = await launch(under.isolation, planOf(under, program, limits), recorder)
      made.push(launched)
      return launched
    }

    it('streams all output, also after the end of its processes, and reports the exit code', async () => {
      const recorder = new Recorder()
      const read = new Deferred<void>()
      const take = recorder.output.bind(recorder)
      recorder.output = async (...output) => {
        await read.promise
        await take(...output)
      }
      const program: Program = {
        shell: 'echo one; echo two >&2; exit 7',
        fake: ({ print, exit }) => {
          void print('one')
          return Promise.resolve().then(() => exit(7))
        },
      }
      const { running } = await launchOf(program, recorder)
      await running.finished()
      expect(recorder.stdout).toBe('')
      read.resolve()
      await running.printed
      expect(recorder.stdout).toBe('one\n')
      expect(await running.ended).toEqual({ kind: 'exited', exitCode: 7 })
    })

    it('delivers all output, and waits for its consumer, before it ends', async () => {
      const lines = Array.from({ length: 20_000 }, (_, index) => `line ${index}\n`).join('')
      const recorder = new Recorder()
      const slow = recorder.output.bind(recorder)
      recorder.output = async (stream, chunk) => {
        await delay(5)
        await slow(stream, chunk)
      }
      const program: Program = {
        shell: 'i=0; while [ $i -lt 20000 ]; do echo "line $i"; i=$((i+1)); done',
        fake: ({ print }) => {
          for (const part of lines.match(/(.*\n){1,1000}/g) ?? []) void print(part.slice(0, -1))
          return Promise.resolve()
        },
      }
      const { running } = await launchOf(program, recorder)
      await running.ended
      expect(recorder.stdout).toBe(lines)
    })

    it('delivers output while the program runs, and stops the program on request', async () => {
      const recorder = new Recorder()
      const { running } = await launchOf(idle, recorder)
      await vi.waitFor(() => expect(recorder.stdout).toBe('ready\n'), 60_000)
      running.stop()
      running.stop()
      expect(await running.ended).toEqual({ kind: 'stopped' })
    })

    it('lets the program connect to its coordinator', async () => {
      const recorder = new Recorder()
      const program: Program = {
        shell: `${POST} post /done | grep OK`,
        fake: async ({ url, exit }) => {
          const { ok } = await fetch(`${url}/done`, { method: 'POST' })
          if (!ok) exit(1)
        },
      }
      const { running } = await launchOf(program, recorder)
      expect(await running.ended).toEqual({ kind: 'exited', exitCode: 0 })
      expect(recorder.asked).toEqual(['POST /launch/done'])
    })

    it('stops a program at its timeout', async () => {
      const { running } = await launchOf(idle, new Recorder(), { timeoutMs: 300 })
      expect(await running.ended).toEqual({ kind: 'timeout', afterMs: 300 })
    })

    it('stops a program that exceeds its memory limit', async () => {
      const program: Program = {
        shell: 'x=a; while :; do x=$x$x; done',
        fake: async ({ allocate }) => {
          allocate(100 * MIB)
          return Promise.resolve()
        },
      }
      const { running } = await launchOf(program, new Recorder(), { memoryBytes: 16 * MIB })
      expect(await running.ended).toEqual({ kind: 'out-of-memory', limitBytes: 16 * MIB })
      expect(await running.causeSoFar()).toEqual({ kind: 'out-of-memory', limitBytes: 16 * MIB })
    })

    it('reports the pids limit, even if the program exits by itself', async () => {
      const program: Program = {
        shell: 'for i in $(seq 100); do sleep 60 & done; wait',
        fake: async ({ fork }) => {
          fork(100)
          return Promise.resolve()
        },
      }
      const { running } = await launchOf(program, new Recorder(), { pids: 20 })
      expect(await running.ended).toEqual({ kind: 'pids-limit', limit: 20 })
    })

    it('stops a program that exceeds its disk limit', async () => {
      const program: Program = {
        shell: 'dd if=/dev/zero of=/tmp/big bs=1M count=100; sleep 60',
        fake: async ({ writeFile }) => {
          writeFile('/tmp/big', 'x'.repeat(100 * MIB))
          return Promise.resolve()
        },
      }
      const { running } = await launchOf(program, new Recorder(), { diskBytes: 8 * MIB })
      const ended = await running.ended
      expect(ended).toMatchObject({ kind: 'disk-full', limitBytes: 8 * MIB })
      expect(ended.kind === 'disk-full' && ended.usedBytes).toBeGreaterThan(8 * MIB)
    })

    it('knows of no cause that would end a program within its limits, or that has ended one that exits', async () => {
      const recorder = new Recorder()
      const { running } = await launchOf(idle, recorder)
      expect(await running.causeSoFar()).toBeUndefined()
      running.stop()
      expect(await running.ended).toEqual({ kind: 'stopped' })
      expect(recorder.endings).toEqual([{ kind: 'stopped' }])

      const exits = new Recorder()
      const { running: brief } = await launchOf({ shell: 'true', fake: () => Promise.resolve() }, exits)
      expect(await brief.ended).toEqual({ kind: 'exited', exitCode: 0 })
      expect(await brief.causeSoFar()).toBeUndefined()
      expect(exits.endings).toEqual([])
    })

    it('reports the first cause of an end, before the program gets its signal and goes on', async () => {
      const recorder = new Recorder()
      const goesOn: Program = {
        shell: `trap 'echo again' TERM; echo ready; sleep 60 & wait; ${POST} post /late >/dev/null; exit 3`,
        fake: async ({ url, print, signal, exit }) => {
          await print('ready')
          if (!signal.aborted) await once(signal, 'abort')
          await print('again')
          await fetch(`${url}/late`, { method: 'POST' })
          exit(3)
        },
      }
      const { running } = await launchOf(goesOn, recorder, { timeoutMs: 2_000 })
      const timeout = { kind: 'timeout', afterMs: 2_000 }
      await vi.waitFor(() => expect(recorder.endings).toEqual([timeout]), 60_000)
      expect(recorder.stdoutBeforeEnding).toBe('ready\n')
      running.stop()
      expect(await running.causeSoFar()).toEqual(timeout)
      expect(await running.ended).toEqual(timeout)
      expect(recorder.stdout).toBe('ready\nagain\n')
      expect(recorder.asked).toEqual(['POST /launch/late'])
      expect(recorder.endings).toEqual([timeout])
    })

    it('takes a snapshot of what the program added at or below a directory, without what is excluded', async () => {
      const recorder = new Recorder()
      const program: Program = {
        shell:
          'mkdir -p /tmp/in/tmp /tmp/out; echo kept > /tmp/in/kept; ' +
          'echo no > /tmp/out/not; echo no > /tmp/in/tmp/not; echo ready; sleep 60',
        fake: async (context) => {
          context.writeFile('/tmp/in/kept', 'kept\n')
          context.writeFile('/tmp/out/not', 'no\n')
          context.writeFile('/tmp/in/tmp/not', 'no\n')
          await idle.fake(context)
        },
      }
      const { running } = await launchOf(program, recorder)
      await vi.waitFor(() => expect(recorder.stdout).toBe('ready\n'), 60_000)
      const { written, removals } = await running.snapshot({ directory: '/tmp/in', exclude: ['/tmp/in/tmp'] }, filesOf)
      expect(written).toEqual({ 'tmp/in/kept': 'kept\n' })
      expect(removals).toEqual([])
    })

    it('calls a hook once when a snapshot freezes the container, and once when it is thawed', async () => {
      const recorder = new Recorder()
      const { running } = await launchOf(idle, recorder)
      await running.snapshot({}, filesOf)
      expect(recorder.freezes).toEqual(['freeze', 'thaw'])
    })

    it('refuses a snapshot of what is not a directory of the root, and goes on', async () => {
      const { running } = await launchOf(idle, new Recorder())
      for (const directory of ['/in/../..', '/tmp/nothing', '/stagerfs', '/proc/self'])
        await expect(running.snapshot({ directory }, filesOf), directory).rejects.toMatchObject({
          code: 'bad-directory',
        })
      await running.snapshot({ directory: undefined }, filesOf)
    })

    it('can be released before the program ends, and more than once', async () => {
      const { running, release } = await launchOf(idle, new Recorder())
      const reports = await Promise.all([release(), release()])
      expect(reports).toEqual([{ failures: [] }, { failures: [] }])
      expect(await running.ended).toEqual({ kind: 'stopped' })
      expect(await release()).toEqual({ failures: [] })
      expect(await under.traces()).toEqual([])
    })

    it('can be prepared and released without a start', async () => {
      const container = await under.isolation.prepare(planOf(under, idle), {}, new AbortController().signal)
      made.push(container)
      expect(container.address).toMatch(/^\d+\.\d+\.\d+\.\d+$/)
      expect(await container.release()).toEqual({ failures: [] })
      expect(await under.traces()).toEqual([])
    })

    it('leaves nothing behind when the preparation is cancelled', async () => {
      const cancel = new AbortController()
      const hooks: PrepareHooks = { step: () => cancel.abort(new Error('changed my mind')) }
      await expect(under.isolation.prepare(planOf(under, idle), hooks, cancel.signal)).rejects.toThrow(
        'changed my mind',
      )
      expect(await under.traces()).toEqual([])
    })

    it('leaves nothing behind when a start is cancelled and the container is released', async () => {
      const cancel = new AbortController()
      const recorder = new Recorder()
      const hooks: PrepareHooks = { step: (name) => name === 'start' && cancel.abort(new Error('changed my mind')) }
      const plan = planOf(under, idle)
      const container = await under.isolation.prepare(plan, hooks, cancel.signal)
      made.push(container)
      await expect(container.start(plan, recorder, cancel.signal)).rejects.toThrow('changed my mind')
      expect(recorder.stdout).toBe('')
      expect(await container.release()).toEqual({ failures: [] })
      expect(await under.traces()).toEqual([])
    })

    it('sweeps launches that are not live, and keeps live ones', async () => {
      const [forgotten, living] = [planOf(under, idle), planOf(under, idle)]
      for (const plan of [forgotten, living]) made.push(await launch(under.isolation, plan, new Recorder()))
      const { removed } = await under.isolation.sweep(new Set([living.id]))
      expect(removed.length).toBeGreaterThan(0)
      expect((await under.traces()).filter((trace) => trace.includes(forgotten.id))).toEqual([])
      expect((await under.traces()).filter((trace) => trace.includes(living.id))).not.toEqual([])
      expect((await under.isolation.sweep(new Set())).removed.length).toBeGreaterThan(0)
      expect(await under.traces()).toEqual([])
      expect((await under.isolation.sweep(new Set())).removed).toEqual([])
    })

    it('keeps unneeded layers until they are discarded', async () => {
      // A node without the layers of the other tests.
      const node = await make()
      onTestFinished(() => node.close())
      const { isolation, root } = node
      for (const source of root) await isolation.materialise(source, new AbortController().signal)
      const layers = async (needed: readonly LayerContent[]) =>
        (await isolation.caches(needed)).filter(({ kind }) => kind === 'layer')
      expect((await layers(root)).map(({ inUse }) => inUse)).toEqual(root.map(() => true))
      const removals = [{ kind: 'removed', path: 'etc' }] as const
      const others = root.map(({ sha256 }) => ({ sha256, removals }))
      const unneeded = await layers(others)
      expect(unneeded.map(({ inUse }) => inUse)).toEqual(root.map(() => false))
      for (const layer of unneeded) expect(await isolation.discard(layer)).toBe(true)
      expect(await layers([])).toEqual([])
    })

    const opened = () => under
    const releaseLater = (container: Pick<PreparedContainer, 'release'>) => void made.push(container)
    describeGivenDirectories(opened, releaseLater)
    describeCreatedAhead(opened, releaseLater)
    describeKept(opened, releaseLater)
    describeImages(opened)

    it('answers a ping', async () => {
      await under.isolation.ping()
    })
  })
}

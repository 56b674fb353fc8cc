import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import type { PreparedContainer } from '../../isolation/isolation.js'
import type { KeptContainer } from '../../isolation/kept-container.js'
import type { CacheOwner, Limits } from '../../isolation/launch-plan.js'
import { launch, planOf, Recorder, type IsolationUnderTest, type Program } from './isolation-under-test.js'

const MIB = 2 ** 20

const fails: Program = {
  shell: 'echo made > /tmp/file; echo out; exit 3',
  fake: async ({ print, writeFile, exit }) => {
    writeFile('/tmp/file', 'made\n')
    await print('out')
    exit(3)
  },
}

/** Runs until it is ended from outside. */
const idle: Program = {
  shell: 'echo made > /tmp/file; echo ready; sleep 60',
  fake: async ({ print, writeFile, signal }) => {
    writeFile('/tmp/file', 'made\n')
    await print('ready')
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
  },
}

/** Runs a script in a shell without a terminal. */
async function ask(kept: KeptContainer, script: string) {
  const recorder = new Recorder()
  const shell = await kept.openShell({ command: undefined, terminal: undefined }, recorder)
  await shell.input(Readable.from([Buffer.from(script)]))
  return { exitCode: await shell.ended, stdout: recorder.stdout }
}

/** The part of the contract of isolation/isolation.ts about keepable containers. */
export function describeKept(
  opened: () => IsolationUnderTest,
  releaseLater: (made: Pick<PreparedContainer, 'release'>) => void,
): void {
  describe('a keepable container', () => {
    const start = async (program: Program, limits: Partial<Limits> = {}, cache?: CacheOwner) => {
      const under = opened()
      const recorder = new Recorder()
      const plan = {
        ...planOf(under, program, limits),
        cache,
        keepable: true,
        environment: { GREETING: 'hello' },
        workingDirectory: '/tmp',
      }
      const launched = await launch(under.isolation, plan, recorder)
      releaseLater(launched)
      return { ...launched, recorder, under, id: plan.id }
    }
    const keep = async (program: Program, limits: Partial<Limits> = {}) => {
      const started = await start(program, limits)
      const ended = await started.running.ended
      return { ...started, ended, kept: await started.running.keep() }
    }

    it('ends like any other when it is not kept, and its release leaves nothing', async () => {
      const { running, recorder, release, under } = await start(fails)
      expect(await running.ended).toEqual({ kind: 'exited', exitCode: 3 })
      expect(recorder.stdout).toBe('out\n')
      expect(await release()).toEqual({ failures: [] })
      expect(await under.traces()).toEqual([])
    })

    it('is kept with its files, and a shell has the user, directory and environment of the program', async () => {
      const { kept, ended, recorder, release, under } = await keep(fails)
      expect(ended).toEqual({ kind: 'exited', exitCode: 3 })
      const answer = await ask(kept, 'cat /tmp/file\nid -un\npwd\necho $GREETING\nexit 7\n')
      expect(answer).toEqual({ exitCode: 7, stdout: 'made\nrunner\n/tmp\nhello\n' })
      // What a shell prints is not the output of the program.
      expect(recorder.stdout).toBe('out\n')
      expect(await release()).toEqual({ failures: [] })
      expect(await under.traces()).toEqual([])
    })

    it('runs a command instead of a shell, with its own exit code', async () => {
      const { kept } = await keep(fails)
      const recorder = new Recorder()
      const run = async (...command: string[]) =>
        (await kept.openShell({ command, terminal: undefined }, recorder)).ended
      expect(await run('cat', '/tmp/file')).toBe(0)
      expect(recorder.stdout).toBe('made\n')
      expect(await run('no-such-command')).toBe(127)
      expect(recorder.stderr).toContain('not found')
    })

    it('is kept as it is when a limit or its time ends the program', async () => {
      const timeout = await keep(idle, { timeoutMs: 1_000 })
      expect(timeout.ended).toEqual({ kind: 'timeout', afterMs: 1_000 })
      expect(timeout.recorder.stdout).toBe('ready\n')
      expect(timeout.recorder.endings).toEqual([timeout.ended])
      expect(await ask(timeout.kept, 'cat /tmp/file\n')).toEqual({ exitCode: 0, stdout: 'made\n' })

      const memory: Program = {
        shell: 'x=a; while :; do x=$x$x; done',
        fake: async ({ allocate }) => {
          allocate(100 * MIB)
          return Promise.resolve()
        },
      }
      const outOfMemory = await keep(memory, { memoryBytes: 16 * MIB })
      expect(outOfMemory.ended).toEqual({ kind: 'out-of-memory', limitBytes: 16 * MIB })
      expect(await ask(outOfMemory.kept, 'pwd\n')).toEqual({ exitCode: 0, stdout: '/tmp\n' })

      const forks: Program = {
        shell: 'for i in $(seq 100); do sleep 60 & done; wait',
        fake: async ({ fork }) => {
          fork(100)
          return Promise.resolve()
        },
      }
      const pids = await keep(forks, { pids: 20 })
      expect(pids.ended).toEqual({ kind: 'pids-limit', limit: 20 })
      expect(await ask(pids.kept, 'pwd\n')).toEqual({ exitCode: 0, stdout: '/tmp\n' })

      const writes: Program = {
        shell: 'dd if=/dev/zero of=/tmp/big bs=1M count=100; sleep 60',
        fake: async ({ writeFile }) => {
          writeFile('/tmp/big', 'x'.repeat(100 * MIB))
          return Promise.resolve()
        },
      }
      const disk = await keep(writes, { diskBytes: 8 * MIB })
      expect(disk.ended).toMatchObject({ kind: 'disk-full', limitBytes: 8 * MIB })
      expect(disk.kept.usedBytes).toBeGreaterThan(8 * MIB)
      expect(await ask(disk.kept, 'pwd\n')).toEqual({ exitCode: 0, stdout: '/tmp\n' })
    })

    it('has room for a shell and its programs beside as many processes as it may have', async () => {
      const leaves: Program = {
        shell: 'for i in $(seq 18); do sleep 60 & done; exit 3',
        fake: async ({ fork, exit }) => {
          fork(18)
          exit(3)
          return Promise.resolve()
        },
      }
      const { ended, kept } = await keep(leaves, { pids: 20 })
      expect(ended).toEqual({ kind: 'exited', exitCode: 3 })
      expect(await ask(kept, 'pwd | cat\n')).toEqual({ exitCode: 0, stdout: '/tmp\n' })
    })

    it('is kept when its program is halted, and not when it is stopped', async () => {
      const halted = await start(idle)
      await expect.poll(() => halted.recorder.stdout).toBe('ready\n')
      halted.running.halt()
      expect(await halted.running.ended).toEqual({ kind: 'stopped' })
      expect(await ask(await halted.running.keep(), 'cat /tmp/file\n')).toEqual({ exitCode: 0, stdout: 'made\n' })

      const stopped = await start(idle)
      await expect.poll(() => stopped.recorder.stdout).toBe('ready\n')
      stopped.running.stop()
      expect(await stopped.running.ended).toEqual({ kind: 'stopped' })
      await expect(stopped.running.keep()).rejects.toMatchObject({ code: 'container-gone' })
    })

    it('is frozen, except while at least one shell is open', async () => {
      const { kept, recorder } = await keep(fails)
      // To measure its disk, it is frozen for a moment now and then.
      const last = () => recorder.freezes.at(-1)
      const first = await kept.openShell({ command: ['sleep', '60'], terminal: undefined }, new Recorder())
      const second = await kept.openShell({ command: ['cat', '/tmp/file'], terminal: undefined }, new Recorder())
      expect(await second.ended).toBe(0)
      await expect.poll(last).toBe('thaw')
      first.hangUp()
      first.hangUp()
      expect(await first.ended).not.toBe(0)
      await expect.poll(last).toBe('freeze')
      expect(await ask(kept, 'cat /tmp/file\n')).toEqual({ exitCode: 0, stdout: 'made\n' })
    })

    it('is released with the shells in it, which end without an exit code', async () => {
      const { kept, release, under } = await keep(fails)
      const shell = await kept.openShell({ command: ['sleep', '60'], terminal: undefined }, new Recorder())
      expect(await release()).toEqual({ failures: [] })
      expect(await shell.ended).toBeUndefined()
      expect(await under.traces()).toEqual([])
      await expect(kept.openShell({ command: ['pwd'], terminal: undefined }, new Recorder())).rejects.toMatchObject({
        code: 'container-ending',
      })
    })

    describe('with the cache of its stager', () => {
      const newCache = (): CacheOwner => ({ packageUuid: randomUUID(), stagerUuid: randomUUID() })
      const adds = (name: string): Program => ({
        shell: `cat /stager-cache/* 2>/dev/null; echo ${name} > /stager-cache/${name}; exit 1`,
        fake: async ({ cache, print, exit }) => {
          for (const text of cache.values()) await print(text)
          cache.set(name, name)
          exit(1)
        },
      })
      const run = async (program: Program, cache: CacheOwner) => {
        const started = await start(program, {}, cache)
        await started.running.ended
        return { ...started, found: started.recorder.stdout }
      }

      it('adds to it like any other when it is not kept', async () => {
        const cache = newCache()
        await (await run(adds('one'), cache)).release('keep')
        expect((await run(adds('two'), cache)).found).toBe('one\n')
      })

      it('neither holds up nor changes what other launches find there', async () => {
        const cache = newCache()
        await (await run(adds('base'), cache)).release('keep')
        const kept = await run(adds('one'), cache)
        await kept.running.keep()
        const other = await run(adds('two'), cache)
        expect(other.found).toBe('base\n')
        await other.release('keep')
        await kept.release('drop')
        expect((await run(adds('three'), cache)).found).toBe('base\ntwo\n')
      })
    })

    it('is swept like any other, although it is frozen', async () => {
      const { id, under } = await keep(fails)
      expect((await under.isolation.sweep(new Set([id]))).removed).toEqual([])
      expect((await under.isolation.sweep(new Set())).removed.length).toBeGreaterThan(0)
      expect(await under.traces()).toEqual([])
    })

    it('has a terminal of the size of that of the user', async () => {
      const { kept } = await keep(fails)
      const recorder = new Recorder()
      const terminal = { type: 'xterm', columns: 91, rows: 33 }
      const shell = await kept.openShell({ command: undefined, terminal }, recorder)
      const keys = new Readable({ read: () => undefined })
      const typing = shell.input(keys)
      keys.push('stty size\n')
      await expect.poll(() => recorder.stdout).toContain('33 91\r\n')
      await shell.resize({ columns: 40, rows: 20 })
      keys.push('stty size\n')
      await expect.poll(() => recorder.stdout).toContain('20 40\r\n')
      keys.push('exit 5\n')
      expect(await shell.ended).toBe(5)
      keys.push(null)
      await typing
    })
  })
}

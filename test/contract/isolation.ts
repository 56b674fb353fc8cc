import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { createGunzip } from 'node:zlib'
import { extract } from 'tar-stream'
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import type {
  ForcedEnding,
  Isolation,
  OpenImage,
  OutputStream,
  PreparedContainer,
  PrepareHooks,
  ReleaseReport,
  RunningContainer,
  StartHooks,
} from '../../isolation/isolation.js'
import type {
  CacheOwner,
  LayerContent,
  LayerSource,
  Limits,
  PreparePlan,
  StartPlan,
} from '../../isolation/launch-plan.js'
import { describeKept } from './kept-containers.js'

/** A test program in two forms: for an isolation that runs programs and for the fake, which runs functions. */
export interface Program {
  readonly shell: string
  readonly fake: (context: ProgramContext) => Promise<void>
}

export interface ProgramContext {
  readonly url: string
  readonly print: (line: string) => Promise<void>
  readonly writeFile: (path: string, text: string) => void
  readonly allocate: (bytes: number) => void
  readonly fork: (processes: number) => void
  /** The texts of files in STAGER_CACHE, by name. */
  readonly cache: Map<string, string>
  /** The texts of files in STAGER_SECRETS, by name. */
  readonly secrets: ReadonlyMap<string, string>
  readonly exit: (code: number) => never
  readonly plan: Pick<StartPlan, 'environment'>
  /** Aborted when the program is stopped from outside. */
  readonly signal: AbortSignal
}

export interface IsolationUnderTest {
  readonly isolation: Isolation
  /** A root with /bin/sh, the usual utilities and a user `runner`. */
  readonly root: readonly LayerSource[]
  /** The command of a plan that runs `program`. */
  commandOf(program: Program): string
  /** Creates an image from text files by absolute path, with `KEY=VALUE` as environment. Returns its reference. */
  image(files: Readonly<Record<string, string>>, environment: string): Promise<string>
  /** Every resource of launches that still exists, one line each. */
  traces(): Promise<readonly string[]>
  close(): Promise<void>
}

const MIB = 2 ** 20
const LIMITS: Limits = { memoryBytes: 64 * MIB, cpus: 1, pids: 64, diskBytes: 64 * MIB, timeoutMs: 60_000 }

/** Both parts of a plan. */
export type WholePlan = PreparePlan & StartPlan

/** The plan of a launch, without the port of the coordinator. */
export function planOf(under: IsolationUnderTest, program: Program, limits: Partial<Limits> = {}): WholePlan {
  return {
    id: randomUUID(),
    root: under.root,
    shims: true,
    publish: [],
    stagerfs: [],
    coordinatorPort: undefined,
    cache: undefined,
    command: under.commandOf(program),
    workingDirectory: '/',
    user: 'runner',
    environment: {},
    egress: false,
    limits: { ...LIMITS, ...limits },
  }
}

/** Hooks that record the output, and a coordinator that answers OK and records its requests. */
export class Recorder implements PrepareHooks, StartHooks {
  stdout = ''
  stderr = ''
  readonly asked: string[] = []
  readonly steps: string[] = []
  readonly repairs: string[] = []
  readonly freezes: string[] = []
  readonly endings: ForcedEnding[] = []
  stdoutBeforeEnding = ''
  /** Address and port of the coordinator, when its listener is open. */
  address = ''
  port = 0
  #server: Server | undefined

  output(stream: OutputStream, chunk: Buffer): Promise<void> {
    this[stream] += chunk.toString()
    return Promise.resolve()
  }

  step(name: string): void {
    this.steps.push(name)
  }

  onFreeze = (): void => {
    this.freezes.push('freeze')
  }

  onThaw = (): void => {
    this.freezes.push('thaw')
  }

  repaired(what: string): void {
    this.repairs.push(what)
  }

  ending(cause: ForcedEnding): void {
    this.endings.push(cause)
    this.stdoutBeforeEnding = this.stdout
  }

  /** Returns the value of STAGER_URL. */
  async listen(address: string): Promise<string> {
    this.#server = createServer((request, response) => {
      this.asked.push(`${request.method ?? ''} ${request.url ?? ''}`)
      response.end('OK')
    })
    this.#server.listen(0, address)
    await once(this.#server, 'listening')
    this.address = address
    this.port = (this.#server.address() as AddressInfo).port
    return `http://${address}:${this.port}/launch`
  }

  async close(): Promise<void> {
    if (!this.#server) return
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server?.close(resolve))
  }
}

export interface Launched {
  readonly running: RunningContainer
  /** Idempotent. */
  readonly release: (cache?: 'keep' | 'drop') => Promise<ReleaseReport>
}

/** Launches like the daemon, with `recorder` as the coordinator. If it rejects, the container has been released. */
export async function launch(
  isolation: Isolation,
  plan: WholePlan,
  recorder: Recorder,
  signal = new AbortController().signal,
): Promise<Launched> {
  const container = await isolation.prepare(plan, recorder, signal)
  const release = async (cache?: 'keep' | 'drop') => {
    const report = await container.release(cache)
    await recorder.close()
    return report
  }
  try {
    const STAGER_URL = await recorder.listen(container.address)
    const environment = { ...plan.environment, STAGER_URL }
    const start = { ...plan, environment, coordinatorPort: recorder.port }
    return { running: await container.start(start, recorder, signal), release }
  } catch (error) {
    await release()
    throw error
  }
}

/** Posts to `$STAGER_URL` with netcat only, and prints the response. */
export const POST = `post() { set -- "$1" "\${STAGER_URL#http://}"; set -- "$1" "\${2%%/*}" "/\${2#*/}"; \
printf 'POST %s%s HTTP/1.0\\r\\nContent-Length: 0\\r\\n\\r\\n' "$3" "$1" | nc "\${2%:*}" "\${2#*:}"; }; `

const idle: Program = {
  shell: 'echo ready; sleep 60',
  fake: async ({ print, signal }) => {
    await print('ready')
    if (!signal.aborted) await once(signal, 'abort')
  },
}

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

    it('streams all output and reports the exit code', async () => {
      const recorder = new Recorder()
      const program: Program = {
        shell: 'echo one; echo two >&2; exit 7',
        fake: async ({ print, exit }) => {
          await print('one')
          exit(7)
        },
      }
      const { running } = await launchOf(program, recorder)
      expect(await running.ended).toEqual({ kind: 'exited', exitCode: 7 })
      expect(recorder.stdout).toBe('one\n')
    })

    describe('the cache of a stager', () => {
      const show: Program = {
        shell: 'cat /stager-cache/* 2>/dev/null; true',
        fake: async ({ cache, print }) => {
          for (const text of cache.values()) await print(text)
        },
      }
      const put = (text: string): Program => ({
        shell: `echo ${text} >/stager-cache/file`,
        fake: ({ cache }) => Promise.resolve(void cache.set('file', text)),
      })
      const newCache = (): CacheOwner => ({ packageUuid: randomUUID(), stagerUuid: randomUUID() })
      const outputOf = async (cache: CacheOwner, program: Program, at: 'keep' | 'drop' = 'keep') => {
        const recorder = new Recorder()
        const launched = await launch(under.isolation, { ...planOf(under, program), cache }, recorder)
        made.push(launched)
        await launched.running.ended
        expect(await launched.release(at)).toEqual({ failures: [] })
        return recorder.stdout
      }

      it('has what the last launch of the same stager and package has left', async () => {
        const cache = newCache()
        expect(await outputOf(cache, put('one'))).toBe('')
        expect(await outputOf(cache, show)).toBe('one\n')
        expect(await outputOf({ ...cache, packageUuid: randomUUID() }, show)).toBe('')
        expect(await outputOf({ ...cache, stagerUuid: randomUUID() }, show)).toBe('')
      })

      it('does not have what a launch has left that was to be dropped', async () => {
        const cache = newCache()
        await outputOf(cache, put('one'))
        await outputOf(cache, put('two'), 'drop')
        expect(await outputOf(cache, show)).toBe('one\n')
      })

      it('is listed, and empty after it was discarded', async () => {
        const cache = newCache()
        await outputOf(cache, put('one'))
        const listed = async () =>
          (await under.isolation.stagerCaches()).find(({ packageUuid }) => packageUuid === cache.packageUuid)
        const found = await listed()
        expect(found).toMatchObject({ ...cache, kind: 'cache', inUse: false })
        expect((await under.isolation.caches([])).map(({ id }) => id)).toContain(found?.id)
        await under.isolation.discard(found!)
        expect(await listed()).toBeUndefined()
        expect(await outputOf(cache, show)).toBe('')
      })
    })

    describe('secrets', () => {
      const show: Program = {
        shell: 'cd /stager-secrets && for file in *; do [ ! -f "$file" ] || echo "$file=$(cat "$file")"; done',
        fake: async ({ secrets, print }) => {
          for (const [name, text] of secrets) await print(`${name}=${text}`)
        },
      }
      const secrets = new Map([
        ['NPM_TOKEN', Buffer.from('s3cret')],
        ['id_rsa', Buffer.from('a key')],
      ])

      it('are files that the program can read', async () => {
        const recorder = new Recorder()
        const launched = await launch(under.isolation, { ...planOf(under, show), secrets }, recorder)
        made.push(launched)
        expect(await launched.running.ended).toEqual({ kind: 'exited', exitCode: 0 })
        expect(recorder.stdout).toBe('NPM_TOKEN=s3cret\nid_rsa=a key\n')
      })

      it('are there for the launch to which they are given, and no other', async () => {
        const recorder = new Recorder()
        const { running } = await launchOf(show, recorder)
        expect(await running.ended).toEqual({ kind: 'exited', exitCode: 0 })
        expect(recorder.stdout).toBe('')
      })

      it('can be given to a container that was created ahead', async () => {
        const recorder = new Recorder()
        const plan = planOf(under, show)
        const container = await under.isolation.prepare(plan, recorder, new AbortController().signal)
        made.push(container)
        const { command, workingDirectory, limits, coordinatorPort } = plan
        const ahead = { command, workingDirectory, limits, coordinatorPort }
        await container.createAhead(ahead, new AbortController().signal)
        const running = await container.start({ ...plan, secrets }, recorder, new AbortController().signal)
        expect(await running.ended).toEqual({ kind: 'exited', exitCode: 0 })
        expect(recorder.stdout).toBe('NPM_TOKEN=s3cret\nid_rsa=a key\n')
      })
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

    it.each(['/in/../..', '/tmp/nothing', '/stagerfs', '/proc/self'])('refuses a snapshot of %s', async (directory) => {
      const { running } = await launchOf(idle, new Recorder())
      await expect(running.snapshot({ directory }, filesOf)).rejects.toMatchObject({ code: 'bad-directory' })
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
      expect(await under.traces()).not.toEqual([])
      expect(await container.release()).toEqual({ failures: [] })
      expect(await under.traces()).toEqual([])
    })

    describe('created ahead', () => {
      const aheadOf = async (plan: WholePlan, recorder: Recorder) => {
        const signal = new AbortController().signal
        const container = await under.isolation.prepare(plan, recorder, signal)
        made.push(container)
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
        const { container, begin } = await aheadOf(planOf(under, program), recorder)
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
        const { begin } = await aheadOf({ ...planOf(under, program), cache }, recorder)
        expect(await (await begin({ environment })).ended).toEqual({ kind: 'exited', exitCode: 0 })
        const hex = Object.values(environment).map((value) => Buffer.from(`${value}|`).toString('hex'))
        expect((await finished(recorder)).trim().split('\n')).toEqual(hex)
      })

      it('can be released while it waits', async () => {
        const recorder = new Recorder()
        const { container } = await aheadOf(planOf(under, idle), recorder)
        expect(await container.release()).toEqual({ failures: [] })
        expect(container.isWaiting).toBe(false)
        await recorder.close()
        expect(await under.traces()).toEqual([])
      })

      it('is swept as any other', async () => {
        const recorder = new Recorder()
        const plan = planOf(under, idle)
        await aheadOf(plan, recorder)
        expect((await under.isolation.sweep(new Set([plan.id]))).removed).toEqual([])
        expect((await under.isolation.sweep(new Set())).removed.length).toBeGreaterThan(0)
        expect(await under.traces()).toEqual([])
        await recorder.close()
      })

      it('leaves nothing behind when that is cancelled', async () => {
        const cancel = new AbortController()
        const hooks: PrepareHooks = { step: (name) => name === 'create' && cancel.abort(new Error('changed my mind')) }
        const plan = planOf(under, idle)
        const container = await under.isolation.prepare(plan, hooks, cancel.signal)
        made.push(container)
        await expect(container.createAhead(plan, cancel.signal)).rejects.toThrow('changed my mind')
        expect(await container.release()).toEqual({ failures: [] })
        expect(await under.traces()).toEqual([])
      })
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

    describe('an image', () => {
      const FILES = { '/srv/kept': 'kept\n', '/srv/out/not': 'no\n' }
      const read = async <T>(reference: string, use: (image: OpenImage) => Promise<T>, leaveOut: string[] = []) =>
        await under.isolation.readImage(
          { id: randomUUID(), reference, leaveOut },
          {},
          use,
          new AbortController().signal,
        )

      it('is read as a tree with its configuration, without excluded paths', async () => {
        const reference = await under.image(FILES, 'GREETING=hello')
        const { files, config } = await read(
          reference,
          async ({ archive, config }) => ({ files: await filesOf(archive), config }),
          ['/srv/out'],
        )
        expect(files).toEqual({ 'srv/kept': 'kept\n' })
        expect(config.environment).toContain('GREETING=hello')
        expect(await under.traces()).toEqual([])
      })

      it('leaves nothing behind when the reader fails', async () => {
        const reference = await under.image(FILES, 'A=b')
        await expect(read(reference, () => Promise.reject(new Error('too large for me')))).rejects.toThrow(
          'too large for me',
        )
        expect(await under.traces()).toEqual([])
      })

      it('has a container while it is read, which a sweep removes if it is not live', async () => {
        const reference = await under.image(FILES, 'A=b')
        const id = randomUUID()
        const use = async () => {
          expect((await under.isolation.sweep(new Set([id]))).removed).toEqual([])
          expect(await under.traces()).not.toEqual([])
          expect((await under.isolation.sweep(new Set())).removed).toHaveLength(1)
          expect(await under.traces()).toEqual([])
        }
        await under.isolation.readImage({ id, reference, leaveOut: [] }, {}, use, new AbortController().signal)
      })

      it('is not read when the signal is already aborted', async () => {
        const reference = await under.image(FILES, 'A=b')
        const plan = { id: randomUUID(), reference, leaveOut: [] }
        const cancelled = AbortSignal.abort(new Error('changed my mind'))
        const reading = under.isolation.readImage(plan, {}, () => Promise.resolve(), cancelled)
        await expect(reading).rejects.toThrow('changed my mind')
        expect(await under.traces()).toEqual([])
      })
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

    describeKept(
      () => under,
      (launched) => made.push(launched),
    )

    it('answers a ping', async () => {
      await under.isolation.ping()
    })
  })
}

/** The regular files of a gzipped tar. */
export async function filesOf(archive: Readable): Promise<Record<string, string>> {
  const files: Record<string, string> = {}
  const reader = archive.pipe(createGunzip()).pipe(extract())
  for await (const entry of reader) {
    const content = await buffer(Readable.from(entry))
    if (entry.header.type === 'file') files[entry.header.name] = content.toString()
  }
  return files
}

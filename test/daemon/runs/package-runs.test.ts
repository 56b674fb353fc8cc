import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Leases } from '../../../base/leases.js'
import type { Capability } from '../../../daemon/packages/metadata.js'
import { Resolver } from '../../../daemon/resolver/resolver.js'
import { PackageRuns } from '../../../daemon/runs/package-runs.js'
import type { RunRequest } from '../../../daemon/runs/run.js'
import { LiveContainers } from '../../../daemon/staging/live-containers.js'
import { SqliteStore } from '../../../daemon/store/sqlite/store.js'
import { stagerSnapshot } from '../../contract/samples.js'
import { FakeIsolation, type FakeContext, type FakeStager } from '../../support/fake-isolation.js'
import { logTo } from '../api/api-client.js'
import { temporaryDirectory } from '../store/temporary-directory.js'

const LIMITS = { memoryBytes: 1 << 28, cpus: 1, pids: 64, diskBytes: 1 << 20, timeoutMs: 1 }

const NODE = { always: { SSL_CERT_FILE: '/ca.pem' }, withEgress: { http_proxy: 'http://proxy:3128' } }

const untilStopped: FakeStager = async ({ signal }) => {
  if (!signal.aborted) await once(signal, 'abort')
}

describe('runs of packages', () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>
  let store: SqliteStore
  let isolation: FakeIsolation
  let live: LiveContainers
  let liveBlobs: Leases
  let logged: string[]
  let runs: PackageRuns
  /** The output of the programs, in order. */
  let written: string[]
  beforeEach(async () => {
    directory = await temporaryDirectory()
    store = SqliteStore.open(path.join(directory.path, 'stagerd.db'))
    isolation = new FakeIsolation()
    live = new LiveContainers()
    liveBlobs = new Leases()
    logged = []
    written = []
    const { packages, policies } = store
    runs = new PackageRuns({
      packages,
      resolver: new Resolver(packages, policies),
      isolation,
      live,
      liveBlobs,
      logger: logTo(logged),
      defaults: { limits: LIMITS, environment: NODE },
    })
  })
  afterEach(async () => {
    await runs.stop()
    store.close()
    await directory.remove()
    // No test may leave a resource of a run, a blob that is held, or an id that a sweep spares.
    expect([...isolation.left]).toEqual([])
    expect(liveBlobs.snapshot()).toEqual(new Set())
    expect([...live.ids]).toEqual([])
  })

  const addPackage = (
    name: string,
    options: {
      readonly state?: 'uploaded' | 'ready'
      readonly environment?: Readonly<Record<string, string>>
      readonly dependencies?: readonly Capability[]
      readonly provides?: readonly Capability[]
    } = {},
  ) =>
    store.packages.create({
      namespace: '/',
      name,
      state: 'ready',
      environment: {},
      dependencies: [],
      provides: [],
      templates: [],
      resource: {
        uuid: randomUUID(),
        sha256: Buffer.from(name).toString('hex').padEnd(64, '0'),
        sha1: undefined,
        length: 1,
        compression: 'gzip',
        removals: [],
      },
      ...options,
    })

  const start = (request: Partial<RunRequest> = {}, signal = new AbortController().signal) => {
    const output = (stream: string, chunk: Buffer) => {
      written.push(`${stream}: ${String(chunk)}`)
      return Promise.resolve()
    }
    const asked = {
      package: { namespace: '/', name: 'app' },
      input: false,
      environment: {},
      publish: [],
      egress: false,
      ...request,
    }
    return runs.start(asked, { output }, signal)
  }

  /** A ready package whose START_COMMAND is this program. */
  const addApp = async (program: FakeStager) => {
    isolation.stagers.set('./app', program)
    await addPackage('app', { environment: { START_COMMAND: './app' } })
  }

  describe('end with a hint', () => {
    const hintOf = async (program: FakeStager, request: Partial<RunRequest> = {}) => {
      await addApp(program)
      return (await (await start(request)).ended).hint
    }
    const publish = [{ containerPort: 3000, hostPort: 0 }]

    it('that fits the last lines of a program that fails', async () => {
      const program: FakeStager = async ({ print, exit }) => {
        await print('Error: getaddrinfo ENOTFOUND api.example.com')
        exit(1)
      }
      expect(await hintOf(program)).toContain("allow it with 'stagectl run --allow-egress'")
    })

    it('about the setting ca-bundle, if the authority is not in it', async () => {
      const program: FakeStager = async ({ print, exit }) => {
        await print('curl: (60) SSL certificate problem: self-signed certificate in certificate chain')
        exit(1)
      }
      expect(await hintOf(program, { egress: true })).toContain("the file of the setting 'ca-bundle' does not have")
    })

    it('about the versions of a runtime that the packages of the node provide', async () => {
      await addPackage('ruby', {
        provides: ['ruby', 'ruby-3.10', 'ruby-3.9'].map((name) => ({ type: 'runtime', name })),
      })
      const program: FakeStager = async ({ print, exit }) => {
        await print('Your Ruby version is 3.9.1, but your Gemfile specified 2.1.0')
        exit(18)
      }
      expect(await hintOf(program)).toContain('this node has runtime.ruby-3.9, runtime.ruby-3.10;')
    })

    it('about a port that is not published, when the client stops it', async () => {
      const announced: FakeStager = async ({ print, signal }) => {
        await print('Server listening on port 8080')
        await untilStopped({ signal } as FakeContext)
      }
      await addApp(announced)
      const running = await start({ publish })
      await expect.poll(() => written).toHaveLength(1)
      running.stop()
      expect(await running.ended).toEqual({
        reason: 'stopped',
        hint: "It listens on port 8080, which is not published: let it listen on the port that the variable PORT names, or publish that port with 'stagectl run --publish 8080'.",
      })
    })

    it('of a failure only if there was one', async () => {
      const program: FakeStager = ({ print }) => print('Error: getaddrinfo ENOTFOUND api.example.com')
      expect(await hintOf(program, { publish })).toBeUndefined()
    })
  })

  it('hold the blobs of their closure while their layers are built', async () => {
    const os = { type: 'os', name: 'linux' } as const
    const { resource } = await addPackage('debian', { provides: [os] })
    const app = await addPackage('app', { environment: { START_COMMAND: './app' }, dependencies: [os] })
    let held: ReadonlySet<string> | undefined
    vi.spyOn(isolation, 'prepare').mockImplementationOnce(() => {
      held = liveBlobs.snapshot()
      return Promise.reject(new Error('no network'))
    })
    await expect(start()).rejects.toThrow('no network')
    expect(held).toEqual(new Set([resource!.sha256, app.resource!.sha256]))
    expect(liveBlobs.snapshot()).toEqual(new Set())
  })

  describe('end', () => {
    it('with exit code 0, and their output is passed on', async () => {
      await addApp(async ({ print }) => {
        await print('one')
        await print('two')
      })
      const { ended } = await start()
      expect(await ended).toEqual({ exitCode: 0, reason: 'exited' })
      expect(written).toEqual(['stdout: one\n', 'stdout: two\n'])
    })

    it('with the exit code of the program', async () => {
      await addApp(async ({ exit }) => Promise.resolve(exit(42)))
      expect(await (await start()).ended).toEqual({ exitCode: 42, reason: 'exited' })
    })

    it('when the client disconnects', async () => {
      await addApp(untilStopped)
      const client = new AbortController()
      const { ended } = await start({}, client.signal)
      client.abort()
      expect(await ended).toEqual({ reason: 'stopped' })
    })

    it('when they are stopped, also repeatedly', async () => {
      await addApp(untilStopped)
      const program = await start()
      program.stop()
      program.stop()
      expect(await program.ended).toEqual({ reason: 'stopped' })
      program.stop()
    })

    it('when the daemon stops, which waits until all of them are released', async () => {
      await addApp(untilStopped)
      const programs = [await start(), await start()]
      expect(isolation.left.size).toBe(2)
      await runs.stop()
      expect(isolation.left.size).toBe(0)
      for (const { ended } of programs) expect(await ended).toEqual({ reason: 'stopped' })
      await expect(start()).rejects.toMatchObject({ code: 'stopping' })
    })

    it('when the daemon stops while their image is loaded, which waits for that too', async () => {
      await addApp(untilStopped)
      const prepare = isolation.prepare.bind(isolation)
      let begin = (): void => undefined
      const begun = new Promise<void>((resolve) => (begin = resolve))
      isolation.prepare = async (plan, hooks, signal) => {
        begin()
        isolation.left.add(plan.id)
        await once(signal, 'abort')
        await new Promise(setImmediate)
        isolation.left.delete(plan.id)
        return await prepare(plan, hooks, signal)
      }
      const starting = expect(start()).rejects.toMatchObject({ code: 'stopping' })
      await begun
      expect([...live.ids]).toEqual([...isolation.left])
      await runs.stop()
      expect(isolation.left.size).toBe(0)
      expect(live.ids.size).toBe(0)
      await starting
    })

    it('at the timeout of the request', async () => {
      await addApp(untilStopped)
      expect(await (await start({ limits: { timeoutMs: 20 } })).ended).toEqual({ reason: 'timeout' })
    })

    it.each<[reason: string, exceed: (context: FakeContext) => void]>([
      ['out-of-memory', ({ allocate }) => allocate(LIMITS.memoryBytes + 1)],
      ['disk-full', ({ writeFile }) => writeFile('/x', 'x'.repeat(LIMITS.diskBytes + 1))],
      ['pids-limit', ({ fork }) => fork(LIMITS.pids + 1)],
    ])('with "%s" at the default limit', async (reason, exceed) => {
      await addApp(async (context) => {
        exceed(context)
        await untilStopped(context)
      })
      expect(await (await start()).ended).toEqual({ reason })
    })

    it('when the Engine is lost', async () => {
      await addApp(untilStopped)
      const { ended } = await start()
      isolation.loseEngine(new Error('the Engine is gone'))
      expect(await ended).toEqual({ reason: 'engine-lost: the Engine is gone' })
    })

    it('even if a resource cannot be removed, which is logged', async () => {
      await addApp(() => Promise.resolve())
      isolation.undoFailures = [{ what: 'remove the bridge', error: new Error('busy') }]
      const { ended, id } = await start()
      expect(await ended).toEqual({ exitCode: 0, reason: 'exited' })
      expect(logged).toHaveLength(1)
      expect(JSON.parse(logged[0]!)).toMatchObject({ run: id, what: 'remove the bridge', err: { message: 'busy' } })
    })
  })

  describe('are protected from sweeps', () => {
    it('as long as they run', async () => {
      await addApp(untilStopped)
      const program = await start()
      expect([...live.ids]).toEqual([program.id])
      program.stop()
      await program.ended
      expect([...live.ids]).toEqual([])
    })
  })

  describe('are rejected, and leave nothing,', () => {
    it('for a package that does not exist', async () => {
      await expect(start()).rejects.toMatchObject({ code: 'package-not-found' })
    })

    it('for a package that is not ready, unless it was before it was staged anew', async () => {
      await addPackage('app', { state: 'uploaded' })
      await expect(start()).rejects.toMatchObject({
        code: 'package-not-ready',
        message: 'package::/::app is uploaded: only a ready package can run; stage it first.',
      })
      isolation.stagers.set('./app', () => Promise.resolve())
      const { uuid } = await addPackage('library', { environment: { START_COMMAND: './app' } })
      const stagers = [stagerSnapshot('one')]
      await store.ledger.submit({ packageUuid: uuid, pipelineFqn: 'stagpipe::/::pipe', stagers })
      const { ended } = await start({ package: { uuid } })
      expect(await ended).toEqual({ exitCode: 0, reason: 'exited' })
    })

    it('for a package without a start command', async () => {
      await addPackage('app')
      await expect(start()).rejects.toMatchObject({
        code: 'no-start-command',
        message: 'package::/::app has no START_COMMAND: give one with --command or -e START_COMMAND=…',
      })
    })

    it('for a dependency that no package provides', async () => {
      await addPackage('app', {
        environment: { START_COMMAND: './app' },
        dependencies: [{ type: 'runtime', name: 'cobol' }],
      })
      await expect(start()).rejects.toMatchObject({ code: 'unresolved' })
    })

    it('when the client has already disconnected', async () => {
      await addApp(untilStopped)
      await expect(start({}, AbortSignal.abort(new Error('the client is gone')))).rejects.toThrow('the client is gone')
    })

    it('while the Engine is down', async () => {
      await addApp(untilStopped)
      isolation.down = new Error('the Engine is down')
      await expect(start()).rejects.toThrow('the Engine is down')
    })

    it('when the container cannot be started', async () => {
      await addPackage('app', { environment: { START_COMMAND: './not-in-the-root' } })
      await expect(start()).rejects.toMatchObject({ code: 'no-such-program' })
    })
  })

  describe('get', () => {
    /** The plan with which the program is started. */
    const planOf = async (request: Partial<RunRequest> = {}, command = './app') => {
      let plan: FakeContext['plan'] | undefined
      isolation.stagers.set(command, (context) => {
        plan = context.plan
        return Promise.resolve()
      })
      await (
        await start(request)
      ).ended
      return plan!
    }

    it('their published host ports, in the order of the request', async () => {
      await addApp(() => Promise.resolve())
      const publish = [
        { containerPort: 80, hostPort: 8080 },
        { containerPort: 443, hostPort: 8443 },
      ]
      const { ports, ended } = await start({ publish })
      expect(ports).toEqual([8080, 8443])
      await ended
    })

    it('the packages that they depend on, below their own', async () => {
      const linux = { type: 'os', name: 'linux' } as const
      const ruby = { type: 'runtime', name: 'ruby' } as const
      await addPackage('debian', { provides: [linux] })
      await addPackage('ruby', { provides: [ruby], dependencies: [linux] })
      await addPackage('app', { dependencies: [ruby], environment: { START_COMMAND: './app' } })
      const { root } = await planOf()
      expect(root.map(({ name }) => name)).toEqual(['package::/::debian', 'package::/::ruby', 'package::/::app'])
    })

    it('the environment of the daemon, the dependencies, the package and the request, each overriding the previous ones', async () => {
      const linux = { type: 'os', name: 'linux' } as const
      await addPackage('debian', { provides: [linux], environment: { FROM: 'debian', SSL_CERT_FILE: '/debian.pem' } })
      await addPackage('app', {
        dependencies: [linux],
        environment: { START_COMMAND: './app', START_PATH: '/srv', FROM: 'app', MODE: 'app' },
      })
      const { environment, workingDirectory } = await planOf({ environment: { MODE: 'request' } })
      expect(environment).toMatchObject({ SSL_CERT_FILE: '/debian.pem', FROM: 'app', MODE: 'request' })
      expect(workingDirectory).toBe('/srv')
    })

    it('the proxies of the node only with egress', async () => {
      await addPackage('app', { environment: { START_COMMAND: './app' } })
      expect((await planOf({ egress: true })).environment).toMatchObject(NODE.withEgress)
      expect((await planOf()).environment).not.toHaveProperty('http_proxy')
    })

    it.each<[what: string, ports: number[], own: Record<string, string>, port: string | undefined]>([
      ['the published port', [3000], {}, '3000'],
      ['the published port, also if it is published twice', [3000, 3000], {}, '3000'],
      ['that of the package, before the published one', [3000], { PORT: '8080' }, '8080'],
      ['nothing without a published port', [], {}, undefined],
      ['nothing with several', [3000, 3001], {}, undefined],
    ])('as PORT %s', async (_what, ports, own, port) => {
      await addPackage('app', { environment: { START_COMMAND: './app', ...own } })
      const publish = ports.map((containerPort) => ({ containerPort, hostPort: 0 }))
      expect((await planOf({ publish })).environment.PORT).toBe(port)
      expect((await planOf({ publish, environment: { PORT: '1' } })).environment.PORT).toBe('1')
    })

    it('the command of the request, which overrides that of the package', async () => {
      await addPackage('app', { environment: { START_COMMAND: './app' } })
      expect(await planOf({ command: './other' }, './other')).toMatchObject({
        command: './other',
        workingDirectory: '/',
      })
    })

    it('the limits of the request, or the defaults without a timeout', async () => {
      await addPackage('app', { environment: { START_COMMAND: './app' } })
      expect((await planOf({ limits: { pids: 7 } })).limits).toEqual({ ...LIMITS, pids: 7, timeoutMs: Infinity })
    })

    it('egress only if they request it', async () => {
      await addPackage('app', { environment: { START_COMMAND: './app' } })
      expect((await planOf({ egress: true })).egress).toBe(true)
      expect((await planOf()).egress).toBe(false)
    })
  })
})

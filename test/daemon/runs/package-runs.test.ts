import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Leases } from '../../../base/leases.js'
import type { Manifest } from '../../../daemon/packages/manifest/manifest.js'
import { parseManifest } from '../../../daemon/packages/manifest/parse-manifest.js'
import type { Capability, Template } from '../../../daemon/packages/metadata.js'
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
      ledger: store.ledger,
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
      readonly templates?: readonly Template[]
      readonly manifest?: Manifest
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

  describe('of a package with a manifest', () => {
    /** Runs it, and returns what its program finds. */
    const found = async (request: Partial<RunRequest> = {}) => {
      let context: FakeContext | undefined
      isolation.stagers.set('./app', (given) => {
        context = given
        return Promise.resolve()
      })
      await (
        await start(request)
      ).ended
      return { ...context!.plan, filled: Object.fromEntries(context!.filled) }
    }
    const addStaged = (text: string, environment: Readonly<Record<string, string>> = {}) => {
      const manifest = parseManifest(text)
      return addPackage('app', {
        manifest,
        templates: manifest.templates ?? [],
        environment: { START_COMMAND: './app', ...manifest.env, ...environment },
      })
    }

    it('have its resources as their limits, unless the request has others', async () => {
      await addStaged('resources { cpu: 50%, memory: 64MB, disk_space: 2MB }')
      const { limits } = await found()
      const own = { memoryBytes: 64 << 20, cpus: 0.5, pids: 64, diskBytes: 2 << 20 }
      expect(limits).toEqual({ ...own, timeoutMs: Infinity })
      expect((await found({ limits: { cpus: 2, pids: 5 } })).limits).toEqual({
        ...own,
        cpus: 2,
        pids: 5,
        timeoutMs: Infinity,
      })
    })

    it('have its templates filled in, by their path from the root or from START_PATH', async () => {
      await addStaged(
        'templates [ { path: "/etc/app.conf" }, { path: "app.rb", left_delimiter: "<<", right_delimiter: ">>" } ]\n' +
          'tags { team: "shop" }, resources { cpu: 250 }',
        { START_PATH: '/app', MODE: 'fast' },
      )
      isolation.rootFiles.set(
        '/etc/app.conf',
        '{{name}} {{port}} {{cpu}} {{memory}} {{env "MODE"}}{{range bindings}}x{{end}}',
      )
      isolation.rootFiles.set('/app/app.rb', '<<range tags>><<.Name>>=<<.Value>><<end>> {{name}}')
      const { id, filled } = await found({ publish: [{ containerPort: 8080, hostPort: 0 }] })
      expect(filled).toEqual({
        '/etc/app.conf': `app 8080 250 ${LIMITS.memoryBytes} fast`,
        '/app/app.rb': 'team=shop {{name}}',
      })
      isolation.rootFiles.set('/etc/app.conf', '{{uuid}}')
      const again = await found()
      expect(again.filled['/etc/app.conf']).toBe(again.id)
      expect(again.id).not.toBe(id)
    })

    it('have the file of the application filled in where the root has one of the same path too', async () => {
      await addStaged('templates [ { path: "etc/shop.conf" } ]', { START_PATH: '/app' })
      isolation.rootFiles.set('/etc/shop.conf', 'root').set('/app/etc/shop.conf', 'app of {{name}}')
      expect((await found()).filled).toEqual({ '/app/etc/shop.conf': 'app of app' })
    })

    it('have the file from the root filled in where a stager has named it', async () => {
      const template = { path: 'etc/shop.conf', left_delimiter: '{{', right_delimiter: '}}' }
      await addPackage('app', { templates: [template], environment: { START_COMMAND: './app', START_PATH: '/app' } })
      isolation.rootFiles.set('/etc/shop.conf', 'root of {{name}}').set('/app/etc/shop.conf', 'app')
      expect((await found()).filled).toEqual({ '/etc/shop.conf': 'root of app' })
    })

    it('have the templates of their dependencies filled in too', async () => {
      const nginx = { type: 'package', name: 'nginx' } as const
      const template = { path: 'etc/nginx.conf', left_delimiter: '{{', right_delimiter: '}}' }
      await addPackage('nginx', { provides: [nginx], templates: [template] })
      await addPackage('app', { dependencies: [nginx], environment: { START_COMMAND: './app', PORT: '80' } })
      isolation.rootFiles.set('/etc/nginx.conf', 'listen {{port}};')
      expect((await found()).filled).toEqual({ '/etc/nginx.conf': 'listen 80;' })
    })

    it('have its variables filled in, but no others', async () => {
      await addStaged('env { URL: "http://{{name}}:{{env `PORT`}}/", RAW: "{{name}}", MODE: "{{name}}" }', {
        MODE: '{{of the stager}}',
        FORMAT: '{{.ID}}',
      })
      const { environment } = await found({ environment: { RAW: '{{kept}}', PORT: '80' } })
      expect(environment).toMatchObject({
        URL: 'http://app:80/',
        RAW: '{{kept}}',
        MODE: '{{of the stager}}',
        FORMAT: '{{.ID}}',
      })
    })

    it.each([
      [
        'bad-template',
        'x\n{{nmae}}',
        'The template /etc/app.conf cannot be filled in: line 2, column 3: expected name, or',
      ],
      [
        'bad-template',
        '{{ (binding_service "db").URI.Host }}',
        'line 1, column 5: expected a binding of the job, found none named "db".',
      ],
      ['no-template', undefined, 'There is no file /etc/app.conf'],
    ])('do not start with a mistake in a template (%s), and leave nothing', async (code, text, message) => {
      isolation.stagers.set('./app', untilStopped)
      await addStaged('templates [ { path: "/etc/app.conf" } ]')
      if (text !== undefined) isolation.rootFiles.set('/etc/app.conf', text)
      await expect(start()).rejects.toMatchObject({ code, message: expect.stringContaining(message) as string })
    })

    it('do not start with a mistake in a variable, and leave nothing', async () => {
      await addStaged(`env { DB: '{{ (binding_service "db").URI.Host }}' }`)
      await expect(start()).rejects.toMatchObject({
        code: 'bad-template',
        message:
          'The value of DB cannot be filled in: line 1, column 5: expected a binding of the job, found none named "db".',
      })
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

    it('for a package whose staging has failed, with the reason and where to look', async () => {
      const { uuid } = await addPackage('app', { state: 'uploaded' })
      const staging = await store.ledger.submit({
        packageUuid: uuid,
        pipelineFqn: 'stagpipe::/::pipe',
        stagers: [stagerSnapshot('one')],
      })
      await expect(start()).rejects.toMatchObject({
        message: `package::/::app is being staged: only a ready package can run; follow the staging with \`stagectl staging logs --follow ${staging.uuid}\`.`,
      })
      await store.ledger.admitNext()
      await store.ledger.fail(staging.uuid, undefined, {
        cause: 'unresolved',
        stager: undefined,
        message: 'runtime.node-99 cannot be resolved:\nnothing provides it.',
        hint: 'Import it.',
      })
      await expect(start()).rejects.toMatchObject({
        code: 'package-not-ready',
        message: `package::/::app cannot run, because its staging has failed (unresolved: runtime.node-99 cannot be resolved): see \`stagectl staging logs ${staging.uuid}\`, and stage it again.`,
      })
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

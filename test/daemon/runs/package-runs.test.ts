import { once } from 'node:events'
import path from 'node:path'
import pino from 'pino'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Resolver } from '../../../daemon/resolver/resolver.js'
import { PackageRuns } from '../../../daemon/runs/package-runs.js'
import { LiveContainers } from '../../../daemon/staging/live-containers.js'
import type { PackageDraft } from '../../../daemon/store/repositories.js'
import { SqliteStore } from '../../../daemon/store/sqlite/store.js'
import { FakeIsolation, type FakeContext } from '../../support/fake-isolation.js'
import { temporaryDirectory } from '../store/temporary-directory.js'

let directory: Awaited<ReturnType<typeof temporaryDirectory>>
let store: SqliteStore
let isolation: FakeIsolation
let live: LiveContainers
let runs: PackageRuns

beforeEach(async () => {
  directory = await temporaryDirectory()
  store = SqliteStore.open(path.join(directory.path, 'stagerd.db'))
  isolation = new FakeIsolation()
  live = new LiveContainers()
  const { packages, policies } = store
  const limits = { memoryBytes: 1000, cpus: 1, pids: 10, diskBytes: 100, timeoutMs: 1 }
  runs = new PackageRuns({
    packages,
    resolver: new Resolver(packages, policies),
    isolation,
    live,
    logger: pino({ level: 'silent' }),
    defaults: { limits, environment: { SSL_CERT_FILE: '/ca.pem' } },
  })
})
afterEach(async () => {
  await runs.stop()
  expect([...isolation.left, ...live.ids], 'runs that were never released').toEqual([])
  store.close()
  await directory.remove()
})

async function addPackage(name: string, content: Partial<PackageDraft> = {}): Promise<void> {
  const sha256 = Buffer.from(name).toString('hex').padEnd(64, '0')
  await store.packages.create({
    namespace: '/',
    name,
    provides: [],
    dependencies: [],
    environment: {},
    templates: [],
    state: 'ready',
    resource: { uuid: crypto.randomUUID(), sha256, sha1: 'a'.repeat(40), length: 1, compression: 'gzip', removals: [] },
    ...content,
  })
}

const start = (name: string, change: { command?: string; environment?: Record<string, string> } = {}) => {
  const lines: string[] = []
  const running = runs.start(
    { package: { namespace: '/', name }, environment: {}, publish: [], egress: false, ...change },
    { output: (_stream, chunk) => Promise.resolve(void lines.push(chunk.toString())) },
    new AbortController().signal,
  )
  return { running, lines }
}

/** Runs until it is ended. */
const serve = async ({ signal }: FakeContext) => {
  if (!signal.aborted) await once(signal, 'abort')
}

describe('a run', () => {
  it('has the closure of its package as its root, and starts as the package says', async () => {
    await addPackage('linux', { provides: [{ type: 'os', name: 'linux' }], environment: { PATH: '/sbin:$PATH' } })
    await addPackage('app', {
      dependencies: [{ type: 'os', name: 'linux' }],
      environment: { START_COMMAND: './serve', START_PATH: '/srv' },
    })
    const seen: FakeContext['plan'][] = []
    isolation.stagers.set('./serve', async ({ plan, print }) => {
      seen.push(plan)
      await print('served')
    })
    const { running, lines } = start('app', { environment: { GREETING: 'hello' } })
    expect(await (await running).ended).toEqual({ exitCode: 0, reason: 'exited' })
    expect(lines).toEqual(['served\n'])
    const [plan] = seen
    expect(plan?.root.map(({ name }) => name)).toEqual(['package::/::linux', 'package::/::app'])
    expect(plan).toMatchObject({ workingDirectory: '/srv', user: 'runner', shims: false, stagerfs: undefined })
    expect(plan?.environment).toMatchObject({ SSL_CERT_FILE: '/ca.pem', GREETING: 'hello' })
    expect(plan?.environment.PATH).toMatch(/^\/sbin:/)
    expect(plan?.environment).not.toHaveProperty('STAGER_URL')
    expect(plan?.limits).toMatchObject({ memoryBytes: 1000, timeoutMs: Infinity })
  })

  it('is live until nothing is left of it', async () => {
    await addPackage('app')
    isolation.stagers.set('./serve', serve)
    const run = await start('app', { command: './serve' }).running
    expect([...live.ids]).toEqual([run.id])
    expect([...isolation.left]).toEqual([run.id])
    run.stop()
    expect(await run.ended).toEqual({ reason: 'stopped' })
    expect([...live.ids, ...isolation.left]).toEqual([])
  })

  it('ends with the daemon', async () => {
    await addPackage('app')
    isolation.stagers.set('./serve', serve)
    const { ended } = await start('app', { command: './serve' }).running
    await runs.stop()
    expect(await ended).toEqual({ reason: 'stopped' })
  })

  it('leaves nothing when its program cannot be started', async () => {
    await addPackage('app')
    await expect(start('app', { command: './missing' }).running).rejects.toMatchObject({ code: 'no-such-program' })
    expect([...live.ids, ...isolation.left]).toEqual([])
  })

  it('leaves nothing when its container cannot be prepared', async () => {
    await addPackage('app')
    vi.spyOn(isolation, 'prepare').mockRejectedValue(new Error('no network today'))
    await expect(start('app', { command: './serve' }).running).rejects.toThrow('no network today')
    expect([...live.ids]).toEqual([])
  })

  it('needs a ready package, and a command', async () => {
    await addPackage('raw', { state: 'uploaded' })
    await expect(start('raw', { command: './serve' }).running).rejects.toMatchObject({ code: 'package-not-ready' })
    await addPackage('mute')
    await expect(start('mute').running).rejects.toMatchObject({ code: 'no-start-command' })
  })
})

import path from 'node:path'
import { Readable } from 'node:stream'
import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { Bootstraps, type BootstrapsParts } from '../../../daemon/bootstrap/bootstraps.js'
import { BuildStaging } from '../../../daemon/bootstrap/build-staging.js'
import { ItemMaker } from '../../../daemon/bootstrap/make-item.js'
import type { Recipe } from '../../../daemon/bootstrap/recipe.js'
import { LogStore } from '../../../daemon/log/log-store.js'
import type { Bootstrap } from '../../../daemon/model/bootstrap.js'
import { PackageQuota } from '../../../daemon/store/package-quota.js'
import { Deferred } from '../../../base/deferred.js'
import type { FakeContext } from '../../support/fake-isolation.js'
import { nodeIdentity } from '../../support/fleet/node-ledger.js'
import { HOST_TOOLS_RECIPE, scriptRecipe, stagerRecipe, systemRecipe } from '../../support/shipped-recipes.js'
import { call, StagingHarness } from '../../support/staging-harness.js'

/** Of the daemon. */
const warnings: string[] = []
const LOGGER = {
  info: () => undefined,
  warn: (_entry: unknown, message?: string) => void warnings.push(message ?? ''),
  error: () => undefined,
}
const LIMITS = { memoryBytes: 1 << 28, cpus: 1, pids: 64, diskBytes: 1 << 20, timeoutMs: 20_000 }

/** An operating system, a compiler, two runtimes, and a pipeline for each of them. */
function shipped({ ruby = 'true', debian = '#!/bin/sh', mirror = '' } = {}): readonly Recipe[] {
  const os = [{ type: 'os', name: 'debian' } as const]
  const runtimes = (name: string) => [{ type: 'runtime', name } as const]
  return [
    HOST_TOOLS_RECIPE,
    systemRecipe('debian', debian, mirror),
    scriptRecipe('node', 'runtime.node', 'os.debian'),
    scriptRecipe('ruby', 'runtime.ruby', 'os.debian', ruby),
    stagerRecipe('system', { additive: true, internal: true }),
    stagerRecipe('compiler', { additive: true, internal: true, dependencies: os }),
    stagerRecipe('nodejs', { dependencies: os, runtimes: runtimes('node') }),
    stagerRecipe('ruby', { dependencies: os, runtimes: runtimes('ruby') }),
  ]
}

let harness: StagingHarness
let bootstraps: Bootstraps
let logs: LogStore
/** What was built, by the name of its package. */
let built: string[]
let recipes: readonly Recipe[]
/** Called in each build of a script, with the name of what is built. */
let compile: (context: FakeContext, name: string) => Promise<void>

beforeEach(async () => {
  harness = await StagingHarness.open(4)
  built = []
  warnings.length = 0
  recipes = shipped()
  compile = async ({ url }) => void (await call(url, 'POST /done'))
  harness.isolation.stagers.set('./system', async ({ url }) => {
    built.push('debian')
    await call(url, 'POST /done')
  })
  harness.isolation.stagers.set('./compiler', async (context) => {
    const name = await nameOfScript(context)
    built.push(name)
    await compile(context, name)
  })
  harness.start()
  open()
})

afterEach(async () => {
  await bootstraps.stop()
  await harness.close()
})

/** The bootstraps of the daemon that is there at present. */
function open(): void {
  bootstraps = newBootstraps()
}

/** A node that shares its database. */
async function newNode() {
  const { store } = harness.parts
  const lost = new AbortController()
  const term = await store.nodes.openTerm(nodeIdentity(), 60_000)
  const duties = store.duties(() => ({ number: term.number, lost: lost.signal }))
  const node = newBootstraps({ duties, lookMs: 20 })
  onTestFinished(() => node.stop())
  const die = async () => {
    lost.abort(new Error('its lease is over'))
    await store.nodes.closeTerm(term)
  }
  return { node, die }
}

function newBootstraps(more: Partial<BootstrapsParts> = {}): Bootstraps {
  const { store, ingest, packages, stagers, pipelines, ledger, logs: stagingLogs, service } = harness.parts
  logs = new LogStore(
    path.join(harness.directory, 'bootstraps'),
    async (uuid) => (await store.bootstraps.get(uuid)).state !== 'running',
  )
  return new Bootstraps({
    bootstraps: store.bootstraps,
    maker: new ItemMaker({
      packages,
      stagers,
      pipelines,
      ingest,
      quota: new PackageQuota(() => 1 << 30),
      limits: LIMITS,
      packHostTools: () => Promise.resolve(Readable.from([Buffer.from('tools')])),
      builds: new BuildStaging({ stagings: service, ledger, logs: stagingLogs }),
    }),
    readShipped: () => Promise.resolve(recipes),
    logs,
    logger: LOGGER,
    ...more,
  })
}

/** The name in the build script that is the data of the package. */
async function nameOfScript({ url }: FakeContext): Promise<string> {
  const response = await fetch(`${url}/data`)
  const tar = gunzipSync(Buffer.from(await response.arrayBuffer())).toString()
  return /name: "(.*)"/.exec(tar)?.[1] ?? ''
}

async function ended({ uuid }: Bootstrap): Promise<{ readonly end: Bootstrap; readonly lines: readonly string[] }> {
  const lines: string[] = []
  const signal = AbortSignal.timeout(15_000)
  for await (const { text } of logs.follow(uuid, { since: 0, follow: true, signal })) lines.push(text)
  signal.throwIfAborted()
  return { end: await bootstraps.get(uuid), lines }
}

describe('a bootstrap of an empty node', () => {
  test('makes packages, stagers and pipelines, each after what it needs', async () => {
    const { end, lines } = await ended(await bootstraps.start([]))

    expect(end.state).toBe('succeeded')
    expect(built[0]).toBe('debian')
    expect(built.toSorted()).toEqual(['debian', 'node', 'ruby'])
    expect(lines.at(-1)).toMatch(/^Complete: \d+ made, 0 there already\.$/)
    const { pipelines, stagers } = harness.parts
    const pipeline = await pipelines.get({ namespace: '/apcera', name: 'nodejs' })
    expect(pipeline.stagers).toEqual([(await stagers.get({ namespace: '/apcera', name: 'nodejs' })).uuid])
    const debian = await harness.packages.get({ namespace: '/apcera/pkg/os', name: 'debian' })
    expect(debian).toMatchObject({ state: 'ready', provides: [{ type: 'os', name: 'debian' }], dependencies: [] })
  })

  test('says of each item that it makes how far the whole is', async () => {
    const { end, lines } = await ended(await bootstraps.start([]))

    const far = lines.flatMap((line) => /^(\S+): made in \d+ s; (\d+) of (\d+) are there$/.exec(line)?.slice(1) ?? [])
    const count = end.items.length
    expect(far.filter((_, index) => index % 3 === 0).toSorted()).toEqual(end.items.map(({ name }) => name).toSorted())
    expect(far.filter((_, index) => index % 3 === 1)).toEqual(end.items.map((_, index) => String(index + 1)))
    expect(new Set(far.filter((_, index) => index % 3 === 2))).toEqual(new Set([String(count)]))
  })

  test('makes at once what does not need each other', async () => {
    const names = new Set<string>()
    const both = new Deferred<void>()
    compile = async ({ url }, name) => {
      if (names.add(name).size === 2) both.resolve()
      await both.promise
      await call(url, 'POST /done')
    }
    const { end } = await ended(await bootstraps.start([]))

    expect([end.state, [...names].toSorted()]).toEqual(['succeeded', ['node', 'ruby']])
  })

  test('makes only what the given pipelines need', async () => {
    const { end } = await ended(await bootstraps.start(['nodejs']))

    expect(end.state).toBe('succeeded')
    expect(built).toEqual(['debian', 'node'])
  })

  test('is refused for a pipeline that does not ship, with those that do', async () => {
    await expect(bootstraps.start(['cobol'])).rejects.toThrow(
      expect.objectContaining({
        code: 'pipeline-not-shipped',
        message: expect.stringContaining('nodejs, ruby') as unknown,
      }),
    )
  })
})

describe('a second bootstrap', () => {
  test('makes nothing', async () => {
    await ended(await bootstraps.start([]))
    built = []
    const { end } = await ended(await bootstraps.start([]))

    expect(new Set(end.items.map(({ state }) => state))).toEqual(new Set(['current']))
    expect(built).toEqual([])
  })

  test('replaces in place what was made from another recipe, and nothing else', async () => {
    await ended(await bootstraps.start([]))
    const ruby = { namespace: '/apcera/pkg/runtimes', name: 'ruby' }
    const before = await harness.packages.get(ruby)
    built = []
    recipes = shipped({ ruby: 'false' })
    const { end } = await ended(await bootstraps.start([]))

    expect(built).toEqual(['ruby'])
    const changed = end.items.filter(({ state }) => state !== 'current')
    expect(changed.map(({ name, state }) => `${name}: ${state}`)).toEqual(['package::/apcera/pkg/runtimes::ruby: made'])
    const after = await harness.packages.get(ruby)
    expect(after.uuid).toBe(before.uuid)
    expect(after.recipe).not.toBe(before.recipe)
  })

  test('replaces what was built on an operating system whose recipe differs', async () => {
    await ended(await bootstraps.start([]))
    built = []
    recipes = shipped({ debian: '#!/bin/bash' })
    await ended(await bootstraps.start([]))

    expect(built.toSorted()).toEqual(['debian', 'node', 'ruby'])
  })

  test('makes nothing where only the host differs', async () => {
    await ended(await bootstraps.start([]))
    built = []
    recipes = shipped({ mirror: 'http://another.mirror/debian' })
    await ended(await bootstraps.start([]))

    expect(built).toEqual([])
  })

  test('leaves alone what was not made from a recipe', async () => {
    await ended(await bootstraps.start(['nodejs']))
    const ruby = { namespace: '/apcera/pkg/runtimes', name: 'ruby' }
    const { resource } = await harness.addPackage('mine')
    const mine = {
      ...ruby,
      resource: resource!,
      state: 'ready',
      provides: [],
      dependencies: [],
      environment: {},
    } as const
    await harness.packages.create({ ...mine, templates: [] })
    const { end } = await ended(await bootstraps.start([]))

    expect(end.items.find(({ name }) => name === 'package::/apcera/pkg/runtimes::ruby')?.state).toBe('kept')
    expect((await harness.packages.get(ruby)).resource?.sha256).toBe(resource?.sha256)
  })
})

describe('an item that fails', () => {
  test('keeps those that need it from being made, and no others, and is made by the next bootstrap', async () => {
    const working = compile
    compile = async (context, name) => {
      if (name !== 'ruby') {
        await working(context, name)
        return
      }
      await context.print('cc: no such file')
      await call(context.url, 'POST /failed')
    }
    const { end, lines } = await ended(await bootstraps.start([]))

    expect(end.state).toBe('failed')
    const states = Object.fromEntries(end.items.map(({ name, state }) => [name, state]))
    expect(states).toMatchObject({
      'package::/apcera/pkg/runtimes::ruby': 'failed',
      'job::/apcera::ruby': 'skipped',
      'package::/apcera/pkg/runtimes::node': 'made',
      'job::/apcera::nodejs': 'made',
    })
    expect(lines.some((line) => line.includes('cc: no such file'))).toBe(true)
    // Nobody may have followed it.
    expect(warnings).toEqual(['a bootstrap failed: package::/apcera/pkg/runtimes::ruby could not be made.'])
    expect((await harness.packages.list({})).filter(({ name }) => name.includes('.bootstrap-'))).toEqual([])

    compile = working
    built = []
    expect((await ended(await bootstraps.start([]))).end.state).toBe('succeeded')
    expect(built).toEqual(['ruby'])
  })
})

describe('a bootstrap of nodes that share a database', () => {
  /** Builds that wait. */
  function holdBuilds() {
    const [begun, release] = [new Deferred<void>(), new Deferred<void>()]
    compile = async ({ url, signal }) => {
      begun.resolve()
      await Promise.race([release.promise, new Promise((resolve) => signal.addEventListener('abort', resolve))])
      if (!signal.aborted) await call(url, 'POST /done')
    }
    return { begun: begun.promise, release: () => release.resolve() }
  }

  const succeeds = ({ uuid }: Bootstrap) =>
    expect
      .poll(async () => (await harness.parts.store.bootstraps.get(uuid)).state, { timeout: 10_000 })
      .toBe('succeeded')

  test('is carried out by one of them, and who asks another one is told so', async () => {
    const builds = holdBuilds()
    const [one, two] = [await newNode(), await newNode()]
    const started = await one.node.start(['nodejs'])
    await builds.begun
    await two.node.resume()
    await expect(two.node.start(['nodejs'])).rejects.toMatchObject({ code: 'bootstrap-elsewhere' })
    expect(await two.node.startNext(['nodejs'])).toBeUndefined()
    await expect(two.node.start([])).rejects.toMatchObject({ code: 'bootstrap-running' })
    await expect(two.node.cancel(started.uuid)).rejects.toMatchObject({ code: 'bootstrap-elsewhere' })
    builds.release()
    await succeeds(started)
    const { lines } = await ended(started)
    expect(lines.filter((line) => line.startsWith('Complete'))).toHaveLength(1)
    expect(built.toSorted(), 'each is built once').toEqual(['debian', 'node'])
    const next = await two.node.startNext(['ruby'])
    await succeeds(next!)
  })

  test('goes on at another node when the one that has it dies, and at no other before', async () => {
    const builds = holdBuilds()
    const [one, two] = [await newNode(), await newNode()]
    const started = await one.node.start(['nodejs'])
    await builds.begun
    await two.node.resume()
    await one.die()
    builds.release()
    await succeeds(started)
    const { lines } = await ended(started)
    expect(lines).toContain('This node stops; the bootstrap goes on when it is started again, or at another node.')
    expect(lines.at(-1)).toMatch(/^Complete/)
  })
})

describe('the life of a bootstrap', () => {
  test('goes on in the next daemon, with the build that was interrupted', async () => {
    const [begun, release] = [new Deferred<void>(), new Deferred<void>()]
    compile = async ({ url, signal }) => {
      begun.resolve()
      await Promise.race([release.promise, new Promise((resolve) => signal.addEventListener('abort', resolve))])
      signal.throwIfAborted()
      await call(url, 'POST /done')
    }
    const started = await bootstraps.start(['nodejs'])
    await begun.promise
    await bootstraps.stop()
    await harness.restart()
    release.resolve()
    open()
    // Whoever is first continues it: a client, or the start of the daemon.
    expect((await bootstraps.start(['nodejs'])).uuid).toBe(started.uuid)
    await bootstraps.resume()
    const { end, lines } = await ended(started)

    expect(end.state).toBe('succeeded')
    expect(lines).toContain('This node stops; the bootstrap goes on when it is started again, or at another node.')
    // One staging each: the interrupted one went on with another launch.
    expect(await harness.parts.ledger.list({})).toHaveLength(2)
  })

  test('is the same for everybody who asks for the same pipelines, and refuses others meanwhile', async () => {
    const release = new Deferred<void>()
    compile = async ({ url }) => {
      await release.promise
      await call(url, 'POST /done')
    }
    const first = await bootstraps.start(['nodejs'])
    expect((await bootstraps.start(['nodejs'])).uuid).toBe(first.uuid)
    await expect(bootstraps.start([])).rejects.toMatchObject({
      code: 'bootstrap-running',
      message:
        'Another bootstrap is running: follow it with `stagectl bootstrap nodejs`, or cancel it with `stagectl bootstrap --cancel`.',
    })
    release.resolve()
    expect((await ended(first)).end.state).toBe('succeeded')
  })

  test('of the settings follows what an earlier daemon has left', async () => {
    const begun = new Deferred<void>()
    const working = compile
    compile = async ({ signal }) => {
      begun.resolve()
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
    }
    const left = await bootstraps.start(['nodejs'])
    await begun.promise
    await bootstraps.stop()
    await harness.restart()
    compile = working
    open()
    await bootstraps.resume()
    const next = await bootstraps.startNext(['ruby'])

    expect((await bootstraps.get(left.uuid)).state).toBe('succeeded')
    expect((await ended(next!)).end).toMatchObject({ state: 'succeeded', pipelines: ['ruby'] })
  })

  test('of the settings does not begin when the daemon stops before', async () => {
    const begun = new Deferred<void>()
    compile = async ({ signal }) => {
      begun.resolve()
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
    }
    await bootstraps.start(['nodejs'])
    await begun.promise
    const next = bootstraps.startNext(['ruby'])
    await bootstraps.stop()
    expect(await next).toBeUndefined()
  })

  test('is cancelled with its builds, and keeps what is made', async () => {
    const begun = new Deferred<void>()
    compile = async ({ signal }) => {
      begun.resolve()
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
    }
    const started = await bootstraps.start(['nodejs'])
    await begun.promise
    await bootstraps.cancel(started.uuid)
    const { end } = await ended(started)

    expect(end.state).toBe('cancelled')
    const [newest] = await harness.parts.ledger.list({ limit: 1 })
    expect(newest?.state).toBe('cancelled')
    expect(end.items.find(({ name }) => name === 'package::/apcera/pkg/os::debian')?.state).toBe('made')
    await expect(bootstraps.cancel(started.uuid)).rejects.toMatchObject({ code: 'bootstrap-ended' })
  })
})

import { createHash } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Refused } from '../../../base/errors.js'
import { parseKeptManifest } from '../../../daemon/packages/manifest/parse-manifest.js'
import type { StagingSource } from '../../../daemon/model/staging.js'
import type { SubmitOptions } from '../../../daemon/staging/staging-service.js'
import { call, StagingHarness } from '../../support/staging-harness.js'

let harness: StagingHarness
/** How often a stager has run. */
let launches: number

beforeEach(async () => {
  harness = await StagingHarness.open()
  launches = 0
  await harness.addPackage('app', { state: 'uploaded' })
})
afterEach(() => harness.close())

const upload = (url: string, data: string) =>
  call(url, `POST /data?sha256=${createHash('sha256').update(data).digest('hex')}`, data)
const meta = (url: string, form: Record<string, string>) => call(url, 'PUT /meta', new URLSearchParams(form))

/** A pipeline of one stager that needs a runtime, which it asks for once, and that names a start command. */
async function addPipeline(options: Parameters<StagingHarness['addPipeline']>[2] = {}) {
  await harness.addPackage('node-18', { provides: [{ type: 'runtime', name: 'node' }] })
  const build = async ({ url }: { readonly url: string }) => {
    launches += 1
    const { dependencies } = JSON.parse(await call(url, 'GET /meta')) as { dependencies: { name: string }[] }
    if (!dependencies.some(({ name }) => name === 'node')) {
      await meta(url, { resource: 'dependencies', action: 'add', type: 'runtime', name: 'node' })
      await call(url, 'POST /relaunch')
      return
    }
    await meta(url, { resource: 'environment', action: 'add', key: 'START_COMMAND', value: './run' })
    await upload(url, `built from ${await call(url, 'GET /data')}`)
    await call(url, 'POST /done')
  }
  await harness.addPipeline('pipe', { build }, options)
  harness.start()
}

async function sourceOf(text: string, changes: Partial<StagingSource> = {}): Promise<StagingSource> {
  const blob = await harness.parts.blobs.write(Readable.from([Buffer.from(text)]))
  const resource = { uuid: crypto.randomUUID(), ...blob, compression: 'gzip' as const, removals: [] }
  return { resource, dependencies: undefined, environment: undefined, ...changes }
}

async function submit(options: SubmitOptions = {}, pipeline = 'pipe') {
  const ref = (name: string) => ({ namespace: '/', name })
  return await harness.service.submit(ref('app'), ref(pipeline), options)
}

async function stage(options: SubmitOptions = {}, pipeline = 'pipe') {
  const { uuid } = await submit(options, pipeline)
  return await harness.ended(uuid)
}

describe('a staging with nothing changed', () => {
  it('is answered from the earlier one without a launch, and says so', async () => {
    await addPipeline()
    const source = await sourceOf('v1')
    const first = await stage({ source })
    const made = await harness.packages.get({ namespace: '/', name: 'app' })
    const second = await stage({ source })
    expect(second).toMatchObject({ state: 'succeeded', reused: first.uuid, launches: [] })
    expect(launches).toBe(2)
    expect(await harness.log(second.uuid)).toEqual([
      "Beginning staging with 'stagpipe::/::pipe' pipeline, 1 stager(s) defined.",
      `Reused the result of staging ${first.uuid}: nothing that it was made from has changed.`,
      'Staging is complete.',
    ])
    const again = await harness.packages.get({ namespace: '/', name: 'app' })
    expect({ ...again, updatedAt: made.updatedAt }).toEqual(made)
  })

  it('is answered from an older result too, which the package has then', async () => {
    await addPipeline()
    const [one, two] = [await sourceOf('v1'), await sourceOf('v2')]
    const first = await stage({ source: one })
    await stage({ source: two })
    expect(await harness.data('app')).toBe('built from v2')
    expect((await stage({ source: one })).reused).toBe(first.uuid)
    expect(await harness.data('app')).toBe('built from v1')
  })

  it('has a complete log when anybody can learn that it has succeeded', async () => {
    await addPipeline()
    const source = await sourceOf('v1')
    const first = await stage({ source })
    const { ledger, logs } = harness.parts
    const commit = ledger.submit.bind(ledger)
    let logged: readonly string[] = []
    vi.spyOn(ledger, 'submit').mockImplementationOnce(async (...request) => {
      const staging = await commit(...request)
      logged = await harness.log(staging.uuid)
      return staging
    })
    const submitted = await submit({ source })
    expect(submitted).toMatchObject({ state: 'succeeded', reused: first.uuid, launches: [] })
    expect(submitted.startedAt).toBe(submitted.endedAt)
    expect(logged).toHaveLength(3)
    expect(await harness.log(submitted.uuid)).toEqual(logged)
    expect(logs.isTaken(submitted.uuid)).toBe(false)
  })

  it('is queued, and leaves no log, where its answer is refused', async () => {
    await addPipeline()
    const source = await sourceOf('v1')
    const first = await stage({ source })
    const { ledger, logs } = harness.parts
    const commit = ledger.submit.bind(ledger)
    vi.spyOn(ledger, 'submit').mockImplementationOnce((request, answerOf) =>
      commit(request, (...staging) => {
        expect(answerOf?.(...staging), 'an answer').toBeDefined()
        throw new Refused('package-quota', 'the package is too large')
      }),
    )
    const { uuid } = await submit({ source })
    expect((await harness.ended(uuid)).reused).toBe(first.uuid)
    expect((await logs.list()).map(({ staging }) => staging).toSorted()).toEqual([first.uuid, uuid].toSorted())
  })

  it('waits for its turn where another one is before it, and is answered from what is there then', async () => {
    await addPipeline()
    const source = await sourceOf('v1')
    const first = await stage({ source })
    harness.service.drain()
    const waiting = await submit({ source })
    expect(waiting.state).toBe('queued')
    harness.service.undrain()
    expect((await harness.ended(waiting.uuid)).reused).toBe(first.uuid)

    harness.service.drain()
    const overtaken = await submit({ source })
    await harness.packages.update({ namespace: '/', name: 'node-18' }, { environment: { NODE: '18' } })
    harness.service.undrain()
    expect(await harness.ended(overtaken.uuid)).toMatchObject({ state: 'succeeded', reused: undefined })
  })

  it('has succeeded all the same where its log cannot be written', async () => {
    await addPipeline()
    const source = await sourceOf('v1')
    const first = await stage({ source })
    const directory = path.join(harness.directory, 'logs')
    await rm(directory, { recursive: true })
    await writeFile(directory, 'not a directory')
    const submitted = await submit({ source })
    expect(submitted).toMatchObject({ state: 'succeeded', reused: first.uuid })
    expect(harness.parts.logs.isTaken(submitted.uuid)).toBe(false)
  })

  it('is answered where its manifest says the same at other places, which the package has then', async () => {
    await addPipeline()
    const source = await sourceOf('v1')
    const stageWith = (text: string) => stage({ source: { ...source, manifest: parseKeptManifest(text) } })
    const first = await stageWith('env { MODE: fast }')
    expect((await stageWith('# A comment.\nenv { MODE: fast }')).reused).toBe(first.uuid)
    const { manifest } = await harness.packages.get({ namespace: '/', name: 'app' })
    expect(manifest).toEqual({ env: { MODE: 'fast' }, places: { 'env/MODE': { line: 2, column: 13 } } })
    expect((await stageWith('env { MODE: slow }')).reused).toBeUndefined()
  })

  it('is answered after a restart of the daemon', async () => {
    await addPipeline()
    const source = await sourceOf('v1')
    const first = await stage({ source })
    await harness.restart()
    expect((await stage({ source })).reused).toBe(first.uuid)
  })

  it('is staged all the same where its user asks for that', async () => {
    await addPipeline()
    const source = await sourceOf('v1')
    await stage({ source })
    expect(await stage({ source, reuse: false })).toMatchObject({ state: 'succeeded', reused: undefined })
    expect(launches).toBe(3)
  })
})

describe('a staging is not answered', () => {
  type Change = () => Promise<SubmitOptions | undefined>
  const update = (change: object) => harness.parts.stagers.update({ namespace: '/', name: 'build' }, change)
  const changes: Readonly<Record<string, Change>> = {
    'when its source has changed': async () => ({ source: await sourceOf('v2') }),
    'when the runtime that its second launch resolved has another environment': async () => {
      await harness.packages.update({ namespace: '/', name: 'node-18' }, { environment: { NODE: '18' } })
      return undefined
    },
    'when the runtime that its second launch resolved has other data': async () => {
      const { resource } = await sourceOf('node 18.1')
      await harness.packages.attach({ namespace: '/', name: 'node-18' }, resource, 'ready')
      return undefined
    },
    'when a policy has it resolve to another runtime': async () => {
      await harness.addPackage('node-20', { provides: [{ type: 'runtime', name: 'node' }] })
      await harness.putPolicy(
        'on job::/ { if (dependency equals runtime.node) { package.default "package::/::node-20" } }',
      )
      return undefined
    },
    'when the environment of the package has changed': async () => ({
      source: await sourceOf('v1', { environment: { NODE_ENV: 'test' } }),
    }),
    'when somebody has changed the metadata of its result': async () => {
      await harness.packages.update({ namespace: '/', name: 'app' }, { environment: { START_COMMAND: './other' } })
      return undefined
    },
    'when the program of the stager has changed': async () => {
      const program = await harness.addPackage('other', { provides: [{ type: 'os', name: 'other' }] })
      await harness.giveProgram('build', program.uuid)
      return undefined
    },
    'when the environment of the stager has changed': async () => void (await update({ environment: { DEBUG: '1' } })),
    'when a limit of the stager has changed': async () =>
      void (await update({
        limits: { memoryBytes: 1 << 27, cpus: 1, pids: 64, diskBytes: 1 << 20, timeoutMs: 20_000 },
      })),
    'when the user of the stager has changed': async () => void (await update({ user: 'root' })),
    'when the pipeline has another stager at its end': async () => {
      await harness.addPipeline('other', { check: ({ url }) => call(url, 'POST /done').then(() => undefined) })
      const stagers = await Promise.all(
        ['build', 'check'].map((name) => harness.parts.stagers.get({ namespace: '/', name })),
      )
      await harness.parts.pipelines.update(
        { namespace: '/', name: 'pipe' },
        { stagers: stagers.map(({ uuid }) => uuid) },
      )
      return undefined
    },
    'when the stager has egress': async () => void (await update({ egress: true })),
  }
  it.each(Object.entries(changes))('%s', async (_name, change) => {
    await addPipeline()
    const source = await sourceOf('v1')
    await stage({ source })
    const changed = await change()
    expect(await stage(changed ?? { source })).toMatchObject({ state: 'succeeded', reused: undefined })
  })

  it('from a result of a package with another name', async () => {
    await addPipeline()
    const source = await sourceOf('v1')
    await stage({ source })
    await harness.packages.update({ namespace: '/', name: 'app' }, { name: 'earlier' })
    await harness.addPackage('app', { state: 'uploaded' })
    expect((await stage({ source })).reused).toBeUndefined()
  })

  it('from a failure', async () => {
    let failures = 0
    await harness.addPipeline('pipe', {
      flaky: async ({ url }) => void (await call(url, failures++ === 0 ? 'POST /failed' : 'POST /done')),
    })
    harness.start()
    const source = await sourceOf('v1')
    expect((await stage({ source })).state).toBe('failed')
    expect(await stage({ source })).toMatchObject({ state: 'succeeded', reused: undefined })
  })

  it('when what its launch would need is there no longer', async () => {
    await addPipeline()
    const source = await sourceOf('v1')
    await stage({ source })
    await harness.packages.delete({ namespace: '/', name: 'node-18' })
    expect(await stage({ source })).toMatchObject({ state: 'failed', failure: { cause: 'unresolved' } })
  })
})

it('a stager with egress takes part if it declares itself reproducible', async () => {
  await addPipeline({ egress: true, reproducible: true })
  const source = await sourceOf('v1')
  const first = await stage({ source })
  expect((await stage({ source })).reused).toBe(first.uuid)
})

it('a result of which a stager says that it is not reproducible is never reused', async () => {
  await harness.addPipeline('pipe', {
    install: async ({ url }) => void (await call(url, 'POST /done?reproducible=no')),
    check: async ({ url }) => void (await call(url, 'POST /done')),
  })
  harness.start()
  const source = await sourceOf('v1')
  const first = await stage({ source })
  expect(await stage({ source })).toMatchObject({ state: 'succeeded', reused: undefined })
  expect((await harness.ended((await harness.service.retry(first.uuid)).uuid)).state).toBe('succeeded')
})

describe('a retry of a staging that has succeeded', () => {
  it('stages its source again on newer packages, and is answered as long as there are none', async () => {
    await addPipeline()
    const first = await stage({ source: await sourceOf('v1') })
    const retried = await harness.service.retry(first.uuid)
    expect((await harness.ended(retried.uuid)).reused).toBe(first.uuid)

    const { resource } = await sourceOf('node 18.1')
    await harness.packages.attach({ namespace: '/', name: 'node-18' }, resource, 'ready')
    const renewed = await harness.service.retry(first.uuid)
    expect(await harness.ended(renewed.uuid)).toMatchObject({ state: 'succeeded', reused: undefined })
    expect(await harness.data('app')).toBe('built from v1')
  })

  it('stages what the package was before, where that was its source', async () => {
    await addPipeline()
    const first = await stage()
    const retried = await harness.service.retry(first.uuid, { reuse: false })
    expect((await harness.ended(retried.uuid)).state).toBe('succeeded')
    expect(await harness.data('app')).toBe('built from app')
  })

  it('is refused when its result is not kept any more', async () => {
    await addPipeline()
    const first = await stage({ source: await sourceOf('v0') })
    for (const text of ['v1', 'v2', 'v3', 'v4', 'v5']) await stage({ source: await sourceOf(text) })
    await expect(harness.service.retry(first.uuid)).rejects.toMatchObject({ code: 'staging-source-gone' })
  })

  it('is refused before its end', async () => {
    await addPipeline()
    await harness.service.stop()
    const { uuid } = await harness.submit('app', 'pipe')
    await expect(harness.service.retry(uuid)).rejects.toMatchObject({ code: 'staging-not-ended' })
  })
})

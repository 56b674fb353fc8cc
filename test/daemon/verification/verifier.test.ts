import { utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { Registry } from 'prom-client'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { measureVerification } from '../../../daemon/metrics/verification-metrics.js'
import { DirectoryBlobStore } from '../../../daemon/store/directory-blob-store.js'
import { SqliteStore } from '../../../daemon/store/sqlite/store.js'
import { storedDataFindings } from '../../../daemon/verification/stored-data-findings.js'
import { Verifications } from '../../../daemon/verification/verifications.js'
import { Verifier, type VerifierParts } from '../../../daemon/verification/verifier.js'
import type { LayerVerdict } from '../../../isolation/layer-verification.js'
import { until } from '../../support/until.js'
import { packageDraft, resource } from '../../contract/samples.js'
import { temporaryDirectory } from '../store/temporary-directory.js'

const DAY = 24 * 60 * 60_000

let directory: Awaited<ReturnType<typeof temporaryDirectory>>
let store: SqliteStore
let blobs: DirectoryBlobStore
let verifications: Verifications
let verifier: Verifier | undefined
/** Lines of the log with their codes. */
let logged: string[]
let layers: Map<string, LayerVerdict[]>
let layersLooked: string[]
let cleared: number

const logger = {
  info: (_: unknown, message?: string) => void logged.push(`info ${message}`),
  warn: (_: unknown, message?: string) => void logged.push(`warn ${message}`),
  error: (details: unknown, message?: string) => {
    logged.push(`error ${(details as { err: { code: string } }).err.code}: ${message}`)
  },
}

/** As a new process opens them. */
async function restart(change: Partial<VerifierParts> = {}): Promise<void> {
  await verifier?.stop()
  verifications = await Verifications.load({ repository: store.verifications, logger: logger as never })
  const damaged = verifications.damaged('blob').map((one) => [one.id, one.damaged] as const)
  blobs = await DirectoryBlobStore.open(join(directory.path, 'blobs'), { damaged, observer: verifications })
  verifier = new Verifier({
    ...{ blobs, verifications, logger: logger as never },
    layers: {
      layers: () => Promise.resolve([...layers.keys()].map((id) => ({ id, bytes: 1000 }))),
      verifyLayer: (id) => {
        layersLooked.push(id)
        const verdict = layers.get(id)?.shift() ?? 'sound'
        if (verdict === 'damaged') verifications.ofLayers.damaged(id, 'differs from its blob')
        if (verdict === 'replaced') verifications.ofLayers.gone(id)
        return Promise.resolve(verdict)
      },
    },
    clearPrepared: () => Promise.resolve(void (cleared += 1)),
    isBusy: () => false,
    periodMs: 7 * DAY,
    bytesPerSecond: 1e9,
    firstMs: 0,
    busyPollMs: 5,
    ...change,
  })
}

const write = async (text: string) => (await blobs.write(Readable.from([text]))).sha256
const fileOf = (sha256: string) => join(directory.path, 'blobs', 'sha256', sha256.slice(0, 2), sha256)
/** As if it had been verified then, by an earlier process. */
const verifiedAt = async (sha256: string, at: number) => {
  await verifications.record()
  await store.verifications.record([{ kind: 'blob', id: sha256, at: new Date(at), damaged: undefined }], [])
}
const metrics = async () => {
  const registry = new Registry()
  measureVerification({ registry, verifications, verifier: verifier! })
  return await registry.metrics()
}
const findings = () => storedDataFindings({ verifications, verifier: verifier!, packages: store.packages })

beforeEach(async () => {
  directory = await temporaryDirectory()
  store = SqliteStore.open(join(directory.path, 'stagerd.db'))
  logged = []
  layers = new Map()
  layersLooked = []
  cleared = 0
  verifier = undefined
  await restart()
})

afterEach(async () => {
  await verifier?.stop()
  store.close()
  await directory.remove()
})

it('verifies what was not verified within the period, and leaves the rest', async () => {
  const [old, recent] = [await write('old'), await write('recent')]
  const now = Date.now()
  await verifiedAt(old, now - 8 * DAY)
  await verifiedAt(recent, now - 6 * DAY)
  await restart()
  verifier!.start()
  await until('the old one is verified', () => verifications.get('blob', old)!.at.getTime() >= now)
  expect(verifications.get('blob', recent)!.at.getTime()).toBe(now - 6 * DAY)
  expect(verifier!.summary('blob')).toMatchObject({
    objects: 2,
    bytes: 9,
    dueBytes: 0,
    oldest: new Date(now - 6 * DAY),
  })
})

it('verifies again what a clock that was ahead has dated into the future', async () => {
  const sha256 = await write('content')
  await verifiedAt(sha256, Date.now() + 400 * DAY)
  await restart()
  verifier!.start()
  await until('it is dated now', () => verifications.get('blob', sha256)!.at.getTime() < Date.now() + DAY)
})

it('tells of damage in the log, the metrics and the diagnosis, and remembers it across a restart', async () => {
  const sha256 = await write('content')
  await writeFile(fileOf(sha256), 'CONTENT')
  await verifiedAt(sha256, Date.now() - 8 * DAY)
  await restart()
  expect(await findings()).toMatchObject([{ verdict: 'good' }])
  verifier!.start()
  await until('the damage is known', () => verifications.damaged('blob').length === 1)
  for (let again = 0; again < 2; again++) {
    await expect(blobs.open(sha256)).rejects.toMatchObject({ code: 'blob-corrupt' })
    expect(await metrics()).toContain('stagerd_damaged_objects{kind="blob"} 1')
    expect(await findings()).toMatchObject([{ verdict: 'bad', message: expect.stringContaining(sha256) as string }])
    expect(verifier!.status()).toMatchObject({ damaged_blobs: 1 })
    await restart()
  }
  expect(logged).toEqual(['error blob-corrupt: the content of a stored resource is damaged'])
  await write('content')
  expect(await metrics()).toContain('stagerd_damaged_objects{kind="blob"} 0')
  expect(logged.at(-1)).toBe('info the content of a stored resource that was damaged is sound again')
})

it('names the package whose data is damaged', async () => {
  const sha256 = await write('content')
  await store.packages.create(packageDraft('shop', { resource: resource({ sha256 }) }))
  await writeFile(fileOf(sha256), 'CONTENT')
  expect(await blobs.verify(sha256)).toBe('damaged')
  await until('it is told', () => verifications.damaged('blob').length === 1)
  expect(await findings()).toMatchObject([{ message: expect.stringContaining('package::/acme::shop') as string }])
})

it('forgets what is not there any more', async () => {
  const sha256 = await write('content')
  await writeFile(fileOf(sha256), 'CONTENT')
  await blobs.verify(sha256)
  await until('it is told', () => verifications.damaged('blob').length === 1)
  await blobs.delete(sha256)
  expect(await metrics()).toContain('stagerd_damaged_objects{kind="blob"} 0')
  await verifications.record()
  expect(await store.verifications.all()).toEqual([])
})

it('waits while stagings run, until something is overdue by a whole period', async () => {
  const [due, overdue] = [await write('due'), await write('overdue')]
  const now = Date.now()
  await verifiedAt(due, now - 8 * DAY)
  await verifiedAt(overdue, now - 15 * DAY)
  let busy = true
  // The age of what was verified counts from the start of the process at the earliest.
  await restart({ isBusy: () => busy, periodMs: 1 })
  verifier!.start()
  await until('both are verified, because both are overdue', () =>
    [due, overdue].every((one) => verifications.get('blob', one)!.at.getTime() >= now),
  )
  await verifiedAt(due, now - 8 * DAY)
  let looked = 0
  await restart({
    isBusy: () => {
      looked += 1
      return busy
    },
  })
  verifier!.start()
  await until('it has looked several times whether it may begin', () => looked > 3)
  expect(verifier!.summary('blob').dueBytes).toBe(3)
  busy = false
  await until('it is verified', () => verifier!.summary('blob').dueBytes === 0)
})

it('verifies soon what a reader was given without a look at it, also while stagings run', async () => {
  const sha256 = await write('content')
  await restart({ isBusy: () => true })
  await utimes(fileOf(sha256), new Date(), new Date('2001-01-01'))
  await writeFile(fileOf(sha256), 'CONTENT')
  verifier!.start()
  verifications.givenOut(sha256)
  await until('the damage is known', () => verifications.damaged('blob').length === 1)
})

it('reads no more in a second than it may', async () => {
  for (const text of ['x', 'y', 'z']) await verifiedAt(await write(text.repeat(50_000)), 0)
  await restart({ bytesPerSecond: 500_000 })
  const began = performance.now()
  verifier!.start()
  await until('all are known', () => verifier!.summary('blob').objects === 3)
  await until('all are verified', () => verifier!.summary('blob').dueBytes === 0)
  // What was read before the last one, and timers of Node may be early by a millisecond.
  expect(performance.now() - began).toBeGreaterThan(195)
})

it('has a damaged layer made again, for which it releases containers that wait', async () => {
  layers.set('layer-a', ['damaged', 'replaced'])
  layers.set('layer-b', ['sound'])
  verifier!.start()
  await until('both were looked at', () => layersLooked.length === 3)
  expect(cleared).toBe(1)
  await until('it is known', () => verifications.get('layer', 'layer-b') !== undefined)
  expect(verifications.get('layer', 'layer-a')).toBeUndefined()
  expect(await metrics()).toContain('stagerd_damage_found_total{kind="layer"} 1')
  expect(await metrics()).toContain('stagerd_damaged_objects{kind="layer"} 0')
  expect(await findings()).toMatchObject([{ verdict: 'slow', message: expect.stringContaining('1 layer') as string }])
  expect(logged).toEqual(['error layer-damaged: the content of a layer is damaged; it is made again from its blob'])
})

it('reads nothing in the background when the period is 0', async () => {
  await write('content')
  await restart({ periodMs: 0 })
  verifier!.start()
  await verifier!.stop()
  expect(verifier!.verifiedBytes('blob')).toBe(0)
})

it('stops in the middle of a blob, and remembers what it knows', async () => {
  const [small, large] = [await write('small'), await write('y'.repeat(3_000_000))]
  await verifiedAt(small, 0)
  await verifiedAt(large, 1)
  await restart({ bytesPerSecond: 1_000_000 })
  verifier!.start()
  await until('the large one is being read', () => verifier!.verifiedBytes('blob') > 5)
  await verifier!.stop()
  const known = await store.verifications.all()
  expect(known.find(({ id }) => id === small)!.at.getTime()).toBeGreaterThan(1)
  expect(known.find(({ id }) => id === large)!.at.getTime()).toBe(1)
})

import { randomUUID } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Result, ResultDiff } from '../../daemon/documents/result.js'
import { stagerSnapshot } from '../contract/samples.js'
import { tarOf, type TarMember } from '../support/tar-builder.js'
import { RealApi } from './support/real-api.js'
import { nodeLedgerOf } from '../support/fleet/node-ledger.js'

const APP = { namespace: '/', name: 'app' }
const BEFORE: readonly TarMember[] = [
  { name: 'app/', type: '5', mode: 0o755 },
  { name: 'app/same', data: 'same' },
  { name: 'app/old', data: 'old' },
  { name: 'app/run', data: 'one', mode: 0o644 },
  { name: 'app/owned', data: 'x', uid: 0 },
  { name: 'app/link', type: '2', linkName: 'run' },
]
const AFTER: readonly TarMember[] = [
  { name: 'app/', type: '5', mode: 0o755, mtime: 99 },
  { name: 'app/same', data: 'same' },
  { name: 'app/new', data: 'new' },
  { name: 'app/run', data: 'other', mode: 0o755 },
  { name: 'app/owned', data: 'x', uid: 1000 },
  { name: 'app/link', type: '2', linkName: 'same' },
]

let real: RealApi
/** The stagings that have made the results 1 and 2. */
let stagings: readonly string[]

beforeAll(async () => {
  real = await RealApi.open()
  await real.addPackage('/', 'app')
  const { store } = real.api
  await store.packages.attach(APP, await resourceOf([{ name: 'source', data: 's' }]), 'uploaded')
  stagings = [await staged(BEFORE, {}), await staged(AFTER, { MODE: 'new' })]
})
afterAll(() => real.close())

async function resourceOf(members: readonly TarMember[]) {
  const archive = gzipSync(tarOf(...members))
  const sha256 = await real.api.upload(archive)
  return {
    uuid: randomUUID(),
    sha256,
    sha1: undefined,
    length: archive.length,
    compression: 'gzip' as const,
    removals: [],
  }
}

async function staged(members: readonly TarMember[], environment: Record<string, string>): Promise<string> {
  const { packages } = real.api.store
  const ledger = await nodeLedgerOf(real.api.store)
  const { uuid: packageUuid } = await packages.get(APP)
  const pipelineFqn = 'stagpipe::/::p'
  const { uuid } = await ledger.submit({ packageUuid, pipelineFqn, stagers: [stagerSnapshot('s')] })
  const { step, work } = (await ledger.admitNext())!
  const launch = randomUUID()
  await ledger.beginLaunch(uuid, { uuid: launch, stagerFqn: 's', step })
  await ledger.launchRunning(launch)
  await ledger.succeed(launch, { ...work, environment, resource: await resourceOf(members) })
  return uuid
}

const json = ({ io }: { readonly io: { readonly out: string } }): unknown => JSON.parse(io.out)

describe('package history', () => {
  it('shows each result with its origin, and marks the present one', async () => {
    const results = json(await real.run(['package', 'history', 'app', '--json'])) as Result[]
    expect(results).toMatchObject([
      { number: 2, current: true, origin: 'staging', staging: stagings[1], pipeline: 'stagpipe::/::p' },
      { number: 1, current: false, origin: 'staging', staging: stagings[0] },
    ])
    const { io } = await real.run(['package', 'history', 'app'])
    expect(io.out.split('\n').slice(0, 2).join('\n')).toMatch(/RESULT .*\n2 +\* +.* staging /)
  })
})

describe('package diff', () => {
  it('tells what is added, changed, removed, and what has other metadata', async () => {
    const { code, io } = await real.run(['package', 'diff', 'app'])
    expect(code).toBe(0)
    expect(io.out).toBe(
      [
        'package::/::app: from result 1 to what it has now',
        'M /app/link (target run -> same)',
        'A /app/new',
        'D /app/old',
        'M /app/owned (uid 0 -> 1000)',
        'C /app/run (size 3 B -> 5 B, mode 0644 -> 0755)',
        'environment: {} -> {"MODE":"new"}',
        '1 added, 1 changed, 1 removed, 2 with other metadata',
        '',
      ].join('\n'),
    )
  })

  it('compares any two results, as a document too', async () => {
    const diff = json(await real.run(['package', 'diff', 'app', '2', '1', '--json'])) as ResultDiff
    expect(diff).toMatchObject({ from: 2, to: 1, added: 1, changed: 1, removed: 1, metadata: 2, truncated: false })
    expect(diff.changes.find(({ path }) => path === 'app/run')).toMatchObject({
      fields: ['content', 'size', 'mode'],
      before: { kind: 'file', size: 5, mode: '0755' },
      after: { kind: 'file', size: 3, mode: '0644' },
    })
  })

  it('says when nothing differs, and which results there are not', async () => {
    expect((await real.run(['package', 'diff', 'app', '1', '1'])).io.out).toContain('Nothing differs.')
    const { code, io } = await real.run(['package', 'diff', 'app', '7'])
    expect(code).toBe(4)
    expect(io.err).toContain('keeps no result 7')
    expect((await real.run(['package', 'diff', 'app', 'x'])).code).toBe(2)
  })
})

describe('package rollback', () => {
  it('gives the package its earlier result, and the history an entry', async () => {
    const { code, io } = await real.run(['package', 'rollback', 'app'])
    expect([code, io.out]).toEqual([0, 'package::/::app has result 1 now.\n'])
    const results = json(await real.run(['package', 'history', 'app', '--json'])) as Result[]
    expect(results[0]).toMatchObject({ number: 3, origin: 'rollback', rollback_to: 1, current: true })
    expect((await real.run(['package', 'rollback', 'app', '1'])).code).toBe(4)
    expect((await real.run(['package', 'rollback', 'app', '2'])).code).toBe(0)
  })
})

import { describe, expect, test } from 'vitest'
import type { NodeStatus } from '../../daemon/documents/node.js'
import type { Package } from '../../daemon/documents/package.js'
import { useHarness } from './support/harness.js'

const harness = useHarness()
const HOUR = 60 * 60_000

const found = (verification: Partial<NonNullable<NodeStatus['verification']>>): NodeStatus => ({
  version: '1',
  node: '00000000-0000-4000-8000-000000000000',
  state_dir: '/state',
  engine: { answers: true, message: 'The Engine answers.' },
  packages: 0,
  stagings: { queued: 0, running: 0, limit: 2 },
  draining: false,
  kept: [],
  stager_caches: { count: 0, bytes: 0 },
  verification: {
    ...{ period_seconds: 604_800, bytes: 3 * 2 ** 20, due_bytes: 0, damaged_blobs: 0, damaged_layers: 0 },
    ...verification,
  },
  uptime_seconds: 1,
})

describe('node status says of stored data', () => {
  test.each([
    [{}, ['Stored data: 3 MB verified']],
    [
      { due_bytes: 2 ** 20, oldest_at: new Date(Date.now() - 50 * HOUR).toISOString() },
      ['Stored data: 1 MB of 3 MB to be verified, the oldest verification 2d ago'],
    ],
    [{ period_seconds: 0 }, ['Stored data: not verified in the background']],
    [
      { damaged_blobs: 2, damaged_layers: 1 },
      [
        'Stored data: 3 MB verified',
        'Damaged data: 2, which `stagectl node doctor` names',
        'Damaged layers in use: 1, made again when nothing uses them',
      ],
    ],
  ])('what is known: %j', async (verification, lines) => {
    const { api, run } = harness()
    api.on('GET /v1/node', () => found(verification))
    expect((await run('node', 'status')).io.out.split('\n')).toEqual(expect.arrayContaining(lines))
  })
})

test('node status shows the networks that are kept for launches', async () => {
  const { api, run } = harness()
  api.on('GET /v1/node', () => ({ ...found({}), kept_networks: 3 }))
  expect((await run('node', 'status')).io.out).toContain('\nNetworks kept for the next launches: 3\n')
})

test('package show says when the data was verified, and whether it is damaged', async () => {
  const { api, run } = harness()
  const shown = (damaged: boolean): Package => ({
    ...{ uuid: 'u', fqn: 'package::/::app', namespace: '/', name: 'app', state: 'ready' },
    ...{ dependencies: [], provides: [], environment: {}, templates: [], created_at: '', updated_at: '' },
    resource: {
      ...{ uuid: 'r', digest: 'sha256:00', length: 1000, compression: 'gzip', removals: 0 },
      ...{ verified_at: '2026-11-30T04:00:00.000Z', damaged },
    },
  })
  api.on('GET /v1/packages/:ref', () => shown(true))
  const { out } = (await run('package', 'show', '/::app')).io
  expect(out).toContain('Damaged: its content is not what was stored; upload it again\n')
  expect(out).toContain('Verified: 2026-11-30T04:00:00.000Z\n')
})

import { describe, expect, test } from 'vitest'
import type { FleetNode } from '../../daemon/documents/fleet-node.js'
import { useHarness } from './support/harness.js'

const harness = useHarness()

const node = (changes: Partial<FleetNode> = {}): FleetNode => ({
  uuid: '00000000-0000-4000-8000-000000000001',
  name: 'build-3',
  labels: ['gpu', 'arm64'],
  state: 'active',
  alive: true,
  running: 2,
  first_seen_at: '2026-01-01T00:00:00.000Z',
  last_seen_at: new Date().toISOString(),
  self: false,
  ...changes,
})

describe('stagectl node', () => {
  test('list shows which nodes live, and which one answers', async () => {
    const { api, run } = harness()
    api.on('GET /v1/nodes', () => [node({ self: true }), node({ name: 'old', alive: false, running: 0 })])
    const { code, io } = await run('node', 'list')
    expect(code).toBe(0)
    expect(io.out).toMatch(/build-3 \(this one\) +active +2 +gpu,arm64/)
    expect(io.out).toMatch(/old +gone +0/)
  })

  test('show and remove take a name', async () => {
    const { api, run } = harness()
    api.on('GET /v1/nodes/build-3', () => node({ address: 'build-3:7300' }))
    api.on('DELETE /v1/nodes/build-3', () => node({ alive: false }))
    expect((await run('node', 'show', 'build-3')).io.out).toContain('Address: build-3:7300')
    expect((await run('node', 'remove', 'build-3')).io.out).toContain('Removed the node build-3')
  })

  test('drain waits until another node runs nothing, and undrain undoes it', async () => {
    const { api, run } = harness()
    const running = [1, 0]
    const draining = (left: number) => node({ state: 'draining', running: left })
    api.on('POST /v1/nodes/build-3/drain', () => draining(2))
    api.on(`GET /v1/nodes/${node().uuid}`, () => draining(running.shift()!))
    api.on('POST /v1/nodes/build-3/undrain', () => node())
    const { code, io } = await run('node', 'drain', 'build-3', '--interval', '1ms')
    expect([code, io.out, running]).toEqual([0, 'The node build-3 is draining: 0 stagings run.\n', []])
    expect((await run('node', 'undrain', 'build-3')).io.out).toBe('The node build-3 starts stagings again.\n')
  })
})

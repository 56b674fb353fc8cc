import { describe, expect, test } from 'vitest'
import type { NodeStatus } from '../../daemon/documents/node.js'
import { useHarness } from './support/harness.js'

const harness = useHarness()

const status = (draining: boolean, running: number, atWork?: number): NodeStatus => ({
  version: '1',
  node: '00000000-0000-4000-8000-000000000000',
  state_dir: '/state',
  engine: { answers: true, message: 'The Engine answers.' },
  packages: 0,
  stagings: { queued: 4, running, limit: 2, ...(atWork === undefined ? {} : { at_work: atWork }) },
  draining,
  kept: [],
  stager_caches: { count: 0, bytes: 0 },
  uptime_seconds: 1,
})

describe('node drain', () => {
  test('waits until nothing runs', async () => {
    const { api, run } = harness()
    const running = [2, 1, 0]
    api.on('POST /v1/node/drain', () => status(true, 2)).on('GET /v1/node', () => status(true, running.shift()!))
    const { code, io } = await run('node', 'drain', '--interval', '1ms')
    expect([code, io.out]).toEqual([0, 'The node is draining: 0 stagings run, 4 are queued.\n'])
    expect(io.err).toContain('Waiting for 2 running stagings')
    expect(running).toEqual([])
  })

  test('waits until what has run is removed from the host', async () => {
    const { api, run } = harness()
    const atWork = [2, 1, 0]
    api.on('POST /v1/node/drain', () => status(true, 0, 2)).on('GET /v1/node', () => status(true, 0, atWork.shift()))
    const { code, io } = await run('node', 'drain', '--interval', '1ms')
    expect([code, io.out, atWork]).toEqual([0, 'The node is draining: 0 stagings run, 4 are queued.\n', []])
  })

  test('--no-wait does not', async () => {
    const { api, run } = harness()
    api.on('POST /v1/node/drain', () => status(true, 2))
    const { code, io } = await run('node', 'drain', '--no-wait')
    expect([code, io.out]).toEqual([0, 'The node is draining: 2 stagings run, 4 are queued.\n'])
  })

  test('ends when somebody else undrains the node', async () => {
    const { api, run } = harness()
    api.on('POST /v1/node/drain', () => status(true, 2)).on('GET /v1/node', () => status(false, 2))
    const { io } = await run('node', 'drain', '--interval', '1ms')
    expect(io.out).toBe('The node was undrained, or stagerd was restarted.\n')
  })

  test('has other nodes go on with what is interrupted, which node status shows', async () => {
    const { api, run } = harness()
    const { stagings, ...rest } = status(false, 2)
    api.on('GET /v1/node', () => ({ ...rest, stagings: { ...stagings, interrupted: 3 } }))
    const { io } = await run('node', 'status')
    expect(io.out).toContain('Stagings: 2 of at most 2 running, 4 queued\nInterrupted stagings: 3, which go on')
  })

  test('is shown by node status, and undone by node undrain', async () => {
    const { api, run } = harness()
    api.on('GET /v1/node', () => status(true, 0)).on('POST /v1/node/undrain', () => status(false, 2))
    expect((await run('node', 'status')).io.out).toContain('Draining: queued stagings wait')
    expect((await run('node', 'undrain')).io.out).toBe('The node starts stagings again: 4 are queued.\n')
  })
})

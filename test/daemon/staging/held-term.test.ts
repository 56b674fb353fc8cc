import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Unavailable } from '../../../base/errors.js'
import { HeldTerm, leaseOf, type TermParts } from '../../../daemon/staging/held-term.js'
import { leaseLost } from '../../../daemon/store/lease-lost.js'
import type { NodeLedger } from '../../../daemon/store/node-ledger.js'
import type { Renewal } from '../../../daemon/store/node-repository.js'
import { nodeIdentity } from '../../support/fleet/node-ledger.js'

const RENEWAL: Renewal = { state: 'active', cancelled: [] }
const AWAY = new Unavailable('database-unreachable', 'The database does not answer.')

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const LEASE = leaseOf(30_000)
const NEVER = new Promise<never>(() => undefined)

async function hold({ lease }: Pick<TermParts, 'lease'> = { lease: LEASE }) {
  const node = nodeIdentity()
  const nodes = {
    openTerm: vi.fn(() => Promise.resolve({ number: 7, node: node.uuid, labels: [], interrupted: 0 })),
    renewTerm: vi.fn(() => Promise.resolve(RENEWAL)),
    closeTerm: vi.fn(() => Promise.resolve()),
    endOverdue: vi.fn(() => Promise.resolve(0)),
  }
  const learned = vi.fn()
  const parts: TermParts = {
    ...{ nodes, node, lease, logger: { warn: () => undefined } },
    ledgerOf: () => ({}) as NodeLedger,
    monotonicMs: () => Date.now(),
  }
  return { nodes, learned, term: await HeldTerm.open(parts, 'active', learned) }
}

describe('a node holds its term', () => {
  it('as long as it renews it, and learns what others have asked for', async () => {
    const { nodes, learned, term } = await hold()
    nodes.endOverdue.mockResolvedValueOnce(2)
    await vi.advanceTimersByTimeAsync(10 * LEASE.renewMs)
    expect(nodes.renewTerm).toHaveBeenCalledTimes(10)
    expect(learned.mock.calls.slice(0, 2)).toEqual([
      [RENEWAL, 2],
      [RENEWAL, 0],
    ])
    expect(term.lost.aborted).toBe(false)
    await term.close()
    await vi.advanceTimersByTimeAsync(10 * LEASE.renewMs)
    expect(nodes.renewTerm).toHaveBeenCalledTimes(10)
    expect(term.lost.aborted, 'it has ended').toBe(true)
  })

  it('no longer than some time before its lease is over, if the database does not answer', async () => {
    const { nodes, term } = await hold()
    await vi.advanceTimersByTimeAsync(LEASE.renewMs)
    nodes.renewTerm.mockRejectedValue(AWAY)
    await vi.advanceTimersByTimeAsync(LEASE.stopMs - 1)
    expect(term.lost.aborted).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(term.lost.aborted).toBe(true)
    expect(LEASE.stopMs).toBeLessThan(LEASE.leaseMs)
  })

  it.each<[string, (nodes: Awaited<ReturnType<typeof hold>>['nodes']) => void]>([
    ['a renewal fails', ({ renewTerm }) => void renewTerm.mockRejectedValueOnce(AWAY)],
    [
      'the database is away for less than that',
      ({ renewTerm }) => void renewTerm.mockRejectedValueOnce(AWAY).mockRejectedValueOnce(AWAY),
    ],
    ['a renewal is never answered', ({ renewTerm }) => void renewTerm.mockReturnValueOnce(NEVER)],
    ['the terms of others are never ended', ({ endOverdue }) => void endOverdue.mockReturnValue(NEVER)],
  ])('although %s', async (_, fault) => {
    const { nodes, term } = await hold()
    fault(nodes)
    await vi.advanceTimersByTimeAsync(10 * LEASE.leaseMs)
    expect(term.lost.aborted).toBe(false)
  })

  it('from when it sent its renewal, and not from the answer', async () => {
    const { nodes, term } = await hold()
    const slow = () => new Promise<Renewal>((resolve) => setTimeout(() => resolve(RENEWAL), 8_000))
    nodes.renewTerm.mockImplementationOnce(slow).mockRejectedValue(AWAY)
    await vi.advanceTimersByTimeAsync(LEASE.renewMs + LEASE.stopMs - 1)
    expect(term.lost.aborted).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(term.lost.aborted).toBe(true)
  })

  it('not while it waits for an answer that never comes', async () => {
    const { nodes, term } = await hold()
    nodes.renewTerm.mockImplementation(() => new Promise<Renewal>(() => undefined))
    await vi.advanceTimersByTimeAsync(LEASE.stopMs)
    expect(term.lost.aborted).toBe(true)
  })

  it('not after the database has said that it has ended', async () => {
    const { nodes, term } = await hold()
    nodes.renewTerm.mockRejectedValueOnce(leaseLost(7))
    await vi.advanceTimersByTimeAsync(LEASE.renewMs)
    expect(term.lost.reason).toMatchObject({ code: 'lease-lost' })
    await vi.advanceTimersByTimeAsync(10 * LEASE.renewMs)
    expect(nodes.renewTerm).toHaveBeenCalledOnce()
  })

  it('although the terms of others cannot be ended, or its own cannot be closed', async () => {
    const { nodes, term, learned } = await hold()
    nodes.endOverdue.mockRejectedValueOnce(AWAY)
    await term.renew()
    expect(learned).toHaveBeenCalledWith(RENEWAL, 0)
    nodes.closeTerm.mockRejectedValueOnce(AWAY)
    expect(term.lost.aborted).toBe(false)
    await term.close()
    expect(term.lost.aborted).toBe(true)
  })

  it('for ever, and at no cost, where no other node can use the database', async () => {
    const { nodes, term } = await hold({})
    await vi.advanceTimersByTimeAsync(100 * LEASE.leaseMs)
    expect(term.lost.aborted).toBe(false)
    expect(nodes.renewTerm).not.toHaveBeenCalled()
    expect(vi.getTimerCount()).toBe(0)
  })
})

import { beforeEach, describe, expect, it, vi } from 'vitest'
import { FirewallGuard } from '../../../isolation/network/firewall-guard.js'
import type { FirewallPlan } from '../../../isolation/network/firewall-rules.js'

const plan = (comment: string): FirewallPlan => ({
  bridge: 'sd-1',
  gateway: '198.18.0.1',
  comment,
  coordinatorPort: 1,
  egress: false,
  published: false,
})
const never = new AbortController().signal

/** A firewall whose rules are a set of comments. */
class FakeFirewall {
  readonly there = new Set<string>()
  broken: Error | undefined
  looks = 0
  /** Awaited before rules are set. */
  slow: Promise<void> | undefined

  async add({ comment }: FirewallPlan): Promise<void> {
    await this.slow
    if (this.broken) throw this.broken
    this.there.add(comment)
  }

  incomplete<T extends FirewallPlan>(plans: readonly T[]): Promise<T[]> {
    this.looks += 1
    return Promise.resolve(plans.filter(({ comment }) => !this.there.has(comment)))
  }

  removeWhere(isOurs: (comment: string) => boolean): Promise<string[]> {
    const gone = [...this.there].filter(isOurs)
    for (const comment of gone) this.there.delete(comment)
    return Promise.resolve(gone)
  }
}

let firewall: FakeFirewall
let guard: FirewallGuard
let told: string[]

const concern = (name: string) => ({
  restored: () => told.push(`${name} restored`),
  lost: (error: unknown) => told.push(`${name} lost: ${(error as Error).message}`),
})

beforeEach(() => {
  firewall = new FakeFirewall()
  guard = new FirewallGuard(firewall, 5)
  told = []
})

describe('a guard of firewall rules', () => {
  it('puts back what somebody flushed, and says whose it was', async () => {
    await guard.add(plan('a'), concern('a'), never)
    await guard.add(plan('b'), concern('b'), never)
    firewall.there.delete('b')
    await vi.waitFor(() => expect(told).toEqual(['b restored']), 10_000)
    expect([...firewall.there].sort()).toEqual(['a', 'b'])
    await guard.remove(plan('a'), never)
    await guard.remove(plan('b'), never)
  })

  it('puts nothing back after its removal, not even what it was putting back just then', async () => {
    await guard.add(plan('a'), concern('a'), never)
    let goOn = (): void => undefined
    firewall.slow = new Promise((resolve) => (goOn = resolve))
    const adding = vi.spyOn(firewall, 'add')
    firewall.there.clear()
    await vi.waitFor(() => expect(adding).toHaveBeenCalled(), 10_000)
    const removed = guard.remove(plan('a'), never)
    goOn()
    await removed
    const { looks } = firewall
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect([...firewall.there]).toEqual([])
    // With nothing to guard, nobody looks.
    expect(firewall.looks).toBeLessThanOrEqual(looks + 1)
  })

  it('puts nothing back that a sweep has removed', async () => {
    await guard.add(plan('a'), concern('a'), never)
    expect(await guard.removeWhere((comment) => comment === 'a')).toEqual(['a'])
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect([...firewall.there]).toEqual([])
    expect(told).toEqual([])
  })

  it('bears some failures, and then says that the container must not go on', async () => {
    let looksWhenLost = 0
    const lost = (error: unknown) => {
      looksWhenLost = firewall.looks
      told.push((error as Error).message)
    }
    await guard.add(plan('a'), { ...concern('a'), lost }, never)
    const looksBefore = firewall.looks
    firewall.broken = new Error('no lock')
    firewall.there.clear()
    await vi.waitFor(() => expect(told).toEqual(['no lock']), 10_000)
    expect(looksWhenLost - looksBefore).toBe(5)
    await guard.remove(plan('a'), never)
  })

  it('guards nothing that could not be set', async () => {
    firewall.broken = new Error('no iptables')
    await expect(guard.add(plan('a'), concern('a'), never)).rejects.toThrow('no iptables')
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(firewall.looks).toBe(0)
  })
})

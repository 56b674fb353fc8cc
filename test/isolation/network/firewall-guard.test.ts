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
  /** The plans of each check. */
  readonly checked: string[][] = []
  /** Awaited before rules are set. */
  slow: Promise<void> | undefined

  async add({ comment }: FirewallPlan): Promise<void> {
    await this.slow
    if (this.broken) throw this.broken
    this.there.add(comment)
  }

  incomplete<T extends FirewallPlan>(plans: readonly T[]): Promise<T[]> {
    this.checked.push(plans.map(({ comment }) => comment))
    return Promise.resolve(plans.filter(({ comment }) => !this.there.has(comment)))
  }

  remove(comment: string): Promise<void> {
    this.there.delete(comment)
    return Promise.resolve()
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

const eventsOf = (name: string) => ({
  restored: () => told.push(`${name} restored`),
  lost: (error: unknown) => told.push(`${name} lost: ${(error as Error).message}`),
})

/** Guards other rules until they have been checked several times. */
async function severalChecks(): Promise<void> {
  await guard.add(plan('other'), eventsOf('other'), never)
  const checksOfOther = () => firewall.checked.filter((comments) => comments.includes('other')).length
  await vi.waitFor(() => expect(checksOfOther()).toBeGreaterThan(3), 10_000)
  // Nothing is checked while nothing is guarded.
  expect(firewall.checked).not.toContainEqual([])
}

beforeEach(() => {
  firewall = new FakeFirewall()
  guard = new FirewallGuard(firewall, 5)
  told = []
})

describe('the firewall guard', () => {
  it('restores rules that were flushed, and reports it to their container', async () => {
    await guard.add(plan('a'), eventsOf('a'), never)
    await guard.add(plan('b'), eventsOf('b'), never)
    firewall.there.delete('b')
    await vi.waitFor(() => expect(told).toEqual(['b restored']), 10_000)
    expect([...firewall.there].sort()).toEqual(['a', 'b'])
    await guard.remove(plan('a'), never)
    await guard.remove(plan('b'), never)
  })

  it('restores nothing after a removal, not even rules that it is restoring at that moment', async () => {
    await guard.add(plan('a'), eventsOf('a'), never)
    let goOn = (): void => undefined
    firewall.slow = new Promise((resolve) => (goOn = resolve))
    const adding = vi.spyOn(firewall, 'add')
    firewall.there.clear()
    await vi.waitFor(() => expect(adding).toHaveBeenCalled(), 10_000)
    const removed = guard.remove(plan('a'), never)
    goOn()
    await removed
    await severalChecks()
    expect([...firewall.there]).toEqual(['other'])
  })

  it('does not restore what a sweep has removed', async () => {
    await guard.add(plan('a'), eventsOf('a'), never)
    expect(await guard.removeWhere((comment) => comment === 'a')).toEqual(['a'])
    await severalChecks()
    expect([...firewall.there]).toEqual(['other'])
    expect(told).toEqual([])
  })

  it('tolerates some failures, and then reports that the rules are lost', async () => {
    let checksWhenLost = 0
    const lost = (error: unknown) => {
      checksWhenLost = firewall.checked.length
      told.push((error as Error).message)
    }
    await guard.add(plan('a'), { ...eventsOf('a'), lost }, never)
    const checksBefore = firewall.checked.length
    firewall.broken = new Error('no lock')
    firewall.there.clear()
    await vi.waitFor(() => expect(told).toEqual(['no lock']), 10_000)
    expect(checksWhenLost - checksBefore).toBe(5)
    await guard.remove(plan('a'), never)
  })

  it('leaves rules that are in force as they are, and reports to whoever has asked last', async () => {
    await guard.add(plan('a'), eventsOf('first'), never)
    const adding = vi.spyOn(firewall, 'add')
    await guard.add(plan('a'), eventsOf('second'), never)
    expect(adding).not.toHaveBeenCalled()
    firewall.there.clear()
    await vi.waitFor(() => expect(told).toEqual(['second restored']), 10_000)
    expect([guard.report('a', eventsOf('third')), guard.report('b', eventsOf('third'))]).toEqual([true, false])
    firewall.there.clear()
    await vi.waitFor(() => expect(told).toEqual(['second restored', 'third restored']), 10_000)
    await guard.remove(plan('a'), never)
  })

  it('sets rules again that it is restoring at that moment', async () => {
    await guard.add(plan('a'), eventsOf('a'), never)
    let goOn = (): void => undefined
    firewall.slow = new Promise((resolve) => (goOn = resolve))
    const adding = vi.spyOn(firewall, 'add')
    firewall.there.clear()
    await vi.waitFor(() => expect(adding).toHaveBeenCalledTimes(1), 10_000)
    const added = guard.add(plan('a'), eventsOf('a'), never)
    goOn()
    await added
    expect(adding).toHaveBeenCalledTimes(2)
    await guard.remove(plan('a'), never)
  })

  it('replaces the rules of another plan, and restores those of the earlier one no more', async () => {
    await guard.add(plan('a'), eventsOf('a'), never)
    const adding = vi.spyOn(firewall, 'add')
    const other = { ...plan('a'), coordinatorPort: 2 }
    await guard.add(other, eventsOf('a'), never)
    firewall.there.clear()
    await vi.waitFor(() => expect(told).toEqual(['a restored']), 10_000)
    expect(adding.mock.calls.map(([{ coordinatorPort }]) => coordinatorPort)).toEqual([2, 2])
    await guard.remove(plan('a'), never)
  })

  it('does not guard rules that could not be set', async () => {
    firewall.broken = new Error('no iptables')
    await expect(guard.add(plan('a'), eventsOf('a'), never)).rejects.toThrow('no iptables')
    firewall.broken = undefined
    await severalChecks()
    expect(firewall.checked.flat()).not.toContain('a')
  })
})

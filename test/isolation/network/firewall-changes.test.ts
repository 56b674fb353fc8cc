import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { Deferred } from '../../../base/deferred.js'
import { FirewallChanges, type FirewallChange } from '../../../isolation/network/firewall-changes.js'

/** Longer than any test: what is held that long is not made. */
const NEVER_MS = 600_000

/** The lines of each transaction. The one that runs waits for `go`. */
let transactions: string[][]
let go: Deferred<void>[]

beforeEach(() => {
  transactions = []
  go = []
})

const commit = (lines: readonly string[]) => {
  transactions.push([...lines])
  go.push(new Deferred())
  return go.at(-1)!.promise
}
const change = (line: string, more: Partial<FirewallChange> = {}): FirewallChange => ({
  lines: [line],
  otherwise: () => Promise.reject(new Error(`${line} is refused`)),
  isUrgent: true,
  ...more,
})

describe('changes of the firewall', () => {
  it('that are asked for during a transaction share the next one', async () => {
    const changes = new FirewallChanges(commit)
    const made = ['a', 'b', 'c'].map((line) => changes.make(change(line)))
    await turn()
    expect(transactions).toEqual([['a', 'b', 'c']])
    const later = ['d', 'e'].map((line) => changes.make(change(line)))
    go[0]!.resolve()
    await Promise.all(made)
    await turn()
    expect(transactions.slice(1)).toEqual([['d', 'e']])
    go[1]!.resolve()
    await Promise.all(later)
  })

  it('that nobody waits for are held for a moment, or until there is one that is urgent', async () => {
    const changes = new FirewallChanges(commit, NEVER_MS)
    const held = changes.make(change('a', { isUrgent: false }))
    await turn()
    expect(transactions).toEqual([])
    const urgent = changes.make(change('b'))
    await turn()
    expect(transactions).toEqual([['a', 'b']])
    go[0]!.resolve()
    await Promise.all([held, urgent])

    const soon = new FirewallChanges(commit, 1).make(change('c', { isUrgent: false }))
    await expect.poll(() => transactions.length).toBe(2)
    go[1]!.resolve()
    await soon
  })

  it('are made one by one when their transaction is refused, and those that are in order succeed', async () => {
    const changes = new FirewallChanges(() => Promise.reject(new Error('no')))
    const otherwise = (line: string) => () => {
      transactions.push([line])
      return Promise.resolve()
    }
    const outcomes = await Promise.allSettled([
      changes.make(change('a', { otherwise: otherwise('a') })),
      changes.make(change('b')),
      changes.make(change('c', { otherwise: otherwise('c') })),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(transactions).toEqual([['a'], ['c']])
  })

  it('are not made when their launch was ended while they waited', async () => {
    const changes = new FirewallChanges(commit)
    const first = changes.make(change('a'))
    await turn()
    const ended = new AbortController()
    const second = changes.make(change('b', { signal: ended.signal }))
    ended.abort(new Error('cancelled'))
    go[0]!.resolve()
    await first
    await expect(second).rejects.toThrow('cancelled')
    expect(transactions).toEqual([['a']])
  })

  it('leave what they would leave one after the other, whatever is refused', async () => {
    const step = fc.record({ name: fc.constantFrom('a', 'b', 'c'), adds: fc.boolean(), waits: fc.boolean() })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), fc.infiniteStream(fc.boolean()), async (steps, refusals) => {
        const table = new Set<string>()
        const apply = (line: string) => (line.startsWith('-I') ? table.add(line.slice(3)) : table.delete(line.slice(3)))
        let running = 0
        const changes = new FirewallChanges(async (lines) => {
          expect(++running).toBe(1)
          await turn()
          running -= 1
          if (refusals.next().value) throw new Error('refused')
          lines.forEach(apply)
        }, 0)
        const made: Promise<void>[] = []
        for (const { name, adds, waits } of steps) {
          const line = `${adds ? '-I' : '-D'} ${name}`
          const otherwise = async () => {
            await turn()
            apply(line)
          }
          made.push(changes.make({ lines: [line], otherwise, isUrgent: adds }))
          if (waits) await Promise.all(made)
        }
        await Promise.all(made)
        const last = new Map<string, boolean>(steps.map(({ name, adds }) => [name, adds]))
        expect([...table].sort()).toEqual(['a', 'b', 'c'].filter((name) => last.get(name)))
      }),
      { numRuns: 50 },
    )
  })
})

import { setImmediate } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Deferred } from '../../base/deferred.js'
import type { Duties } from '../../daemon/store/duties.js'
import type { SqlStore } from '../../daemon/store/sql/store.js'
import { nodeIdentity } from '../support/fleet/node-ledger.js'

/** The contract of daemon/store/duties.ts. */
export function describeDuties(
  name: string,
  /** Those of one node, and of another that shares its database if there can be one. */
  make: () => Promise<{ readonly own: Duties; readonly others?: Duties }>,
): void {
  describe(name, () => {
    it('does one duty once at a time on a node, and gives back its results', async () => {
      const { own } = await make()
      const [first, events] = [new Deferred<void>(), [] as string[]]
      const one = own.run('garbage', async (signal) => {
        expect(signal.aborted).toBe(false)
        events.push('one begins')
        await first.promise
        events.push('one ends')
        return 1
      })
      const two = own.run('garbage', () => Promise.resolve(events.push('two')))
      await setImmediate()
      first.resolve()
      expect([await one, (await two)?.result]).toEqual([{ result: 1 }, 3])
      expect(events).toEqual(['one begins', 'one ends', 'two'])
    })

    it('does different duties at the same time', async () => {
      const { own } = await make()
      const met = new Deferred<void>()
      const one = own.run('garbage', () => met.promise)
      await own.run('another', async () => {
        met.resolve()
        await Promise.resolve()
      })
      await one
    })

    it('gives a duty back when its work fails', async () => {
      const { own } = await make()
      await expect(own.run('garbage', () => Promise.reject(new Error('it failed')))).rejects.toThrow('it failed')
      expect(await own.run('garbage', () => Promise.resolve(1))).toEqual({ result: 1 })
    })

    it('leaves a duty to the node that has it, and takes it when that has done it', async () => {
      const { own, others } = await make()
      if (!others) return
      const [begun, over] = [new Deferred<void>(), new Deferred<void>()]
      const one = own.run('garbage', async () => {
        begun.resolve()
        await over.promise
      })
      await begun.promise
      expect(await others.run('garbage', () => Promise.resolve(1))).toBeUndefined()
      over.resolve()
      await one
      expect(await others.run('garbage', () => Promise.resolve(1))).toEqual({ result: 1 })
    })
  })
}

type Store = Pick<SqlStore, 'nodes' | 'duties'>

/** The same for nodes that share a database, and what becomes of a duty when the term of its node ends. */
export function describeSharedDuties(
  name: string,
  make: () => Promise<{ readonly store: Store; readonly close: () => Promise<void> }>,
): void {
  const openNode = async (store: Store) => {
    const term = await store.nodes.openTerm(nodeIdentity(), 30_000)
    const lost = new AbortController()
    const held = { number: term.number, lost: lost.signal }
    return { term, held, lost, duties: store.duties(() => held) }
  }
  const open = async () => {
    const { store, close } = await make()
    onTestFinished(close)
    return { store, one: await openNode(store), two: await openNode(store) }
  }
  /** Has the duty until `end` is called. */
  const atWork = async (duties: Duties) => {
    const [begun, over] = [new Deferred<AbortSignal>(), new Deferred<void>()]
    const done = duties.run('garbage', async (signal) => {
      begun.resolve(signal)
      await over.promise
      signal.throwIfAborted()
    })
    // It is looked at when the work has ended.
    done.catch(() => undefined)
    return { signal: await begun.promise, done, end: () => over.resolve() }
  }
  const once = (duties: Duties) => duties.run('garbage', () => Promise.resolve('done'))

  describeDuties(name, async () => {
    const { one, two } = await open()
    return { own: one.duties, others: two.duties }
  })

  describe(`${name}: a duty`, () => {
    it('is free when the term of its node has ended, whether that node knows it or not', async () => {
      const { store, one, two } = await open()
      const first = await atWork(one.duties)
      await store.nodes.closeTerm(one.term)
      const second = await atWork(two.duties)
      expect(first.signal.aborted).toBe(false)
      first.end()
      await first.done
      const three = await openNode(store)
      expect(await once(three.duties), 'the first one gave back what was not its own').toBeUndefined()
      second.end()
      await second.done
      expect(await once(three.duties)).toEqual({ result: 'done' })
    })

    it('stops the work of a node that has lost its lease', async () => {
      const { one } = await open()
      const { signal, done, end } = await atWork(one.duties)
      one.lost.abort(new Error('its lease was not renewed'))
      expect(signal.aborted).toBe(true)
      end()
      await expect(done).rejects.toMatchObject({ kind: 'unavailable', code: 'duty-lost' })
    })

    it('needs a term that is open, for the node and in the database', async () => {
      const { store, one, two } = await open()
      const refused = (duties: Duties) =>
        expect(once(duties)).rejects.toMatchObject({ kind: 'unavailable', code: 'node-without-term' })
      await refused(store.duties(() => undefined))
      one.lost.abort()
      await refused(one.duties)
      await store.nodes.closeTerm(two.term)
      await refused(two.duties)
    })

    it('is taken again by the term that could not give it back', async () => {
      const { store, one, two } = await open()
      const { done, end } = await atWork(one.duties)
      const again = store.duties(() => one.held)
      expect(await once(two.duties)).toBeUndefined()
      expect(await once(again)).toEqual({ result: 'done' })
      end()
      await done
    })

    it('is forgotten with its node', async () => {
      const { store, one, two } = await open()
      const { done, end } = await atWork(one.duties)
      await store.nodes.closeTerm(one.term)
      await store.nodes.remove(one.term.node)
      expect(await once(two.duties)).toEqual({ result: 'done' })
      end()
      await done
    })
  })
}

import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { Deferred } from '../../base/deferred.js'
import type { Duties } from '../../daemon/store/duties.js'

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

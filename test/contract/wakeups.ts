import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WAKEUP_TOPICS, type Wakeups } from '../../daemon/store/wakeups.js'

export interface WakeupsUnderTest {
  /** Those of two nodes, or twice those of the only one. Both listen to what either tells. */
  readonly nodes: readonly [Wakeups, Wakeups]
  readonly close: () => Promise<void>
}

/** The contract of daemon/store/wakeups.ts, for every implementation. */
export function describeWakeups(name: string, make: () => Promise<WakeupsUnderTest>): void {
  describe(name, () => {
    let { nodes, close } = {} as WakeupsUnderTest
    beforeEach(async () => {
      ;({ nodes, close } = await make())
    })
    afterEach(() => close())

    const heard = (wakeups: Wakeups, topic: (typeof WAKEUP_TOPICS)[number]) => {
      const about: (string | undefined)[] = []
      return { about, end: wakeups.listen(topic, (one) => about.push(one)) }
    }

    it('tell every node, also the one that tells, in the order in which one has told', async () => {
      const [one, two] = nodes
      const [atOne, atTwo] = [heard(one, 'cancel'), heard(two, 'cancel')]
      for (const about of ['a', 'b', "it's \u{1f600}"]) one.notify('cancel', about)
      for (const { about } of [atOne, atTwo]) await expect.poll(() => about).toEqual(['a', 'b', "it's \u{1f600}"])
    })

    it('keep the topics apart, and tell about nothing', async () => {
      const [one, two] = nodes
      const told = WAKEUP_TOPICS.map((topic) => [topic, heard(two, topic).about] as const)
      for (const topic of WAKEUP_TOPICS) one.notify(topic, topic === 'queued' ? '' : topic)
      for (const [topic, about] of told) await expect.poll(() => about).toEqual([topic === 'queued' ? '' : topic])
    })

    it('carry 200 characters', async () => {
      const [one, two] = nodes
      const long = '\u{1f600}'.repeat(100)
      const { about } = heard(two, 'node')
      one.notify('node', long)
      await expect.poll(() => about).toEqual([long])
    })

    it('never tell in the same turn', () => {
      const [one] = nodes
      const { about } = heard(one, 'node')
      one.notify('node', 'a')
      expect(about).toEqual([])
    })

    it('tell nothing to a listener that has ended, and go on telling the others', async () => {
      const [one, two] = nodes
      const [ended, other] = [heard(two, 'node'), heard(two, 'node')]
      one.notify('node', 'a')
      await expect.poll(() => [ended.about, other.about]).toEqual([['a'], ['a']])
      ended.end()
      ended.end()
      one.notify('node', 'b')
      await expect.poll(() => other.about).toEqual(['a', 'b'])
      expect(ended.about).toEqual(['a'])
    })

    it('tell nothing to a listener that has ended meanwhile', async () => {
      const [one] = nodes
      const [ended, other] = [heard(one, 'node'), heard(one, 'node')]
      one.notify('node', 'a')
      ended.end()
      await expect.poll(() => other.about).toEqual(['a'])
      expect(ended.about).toEqual([])
    })

    it('have one listener for each call, also of the same function', async () => {
      const [one] = nodes
      let calls = 0
      const count = () => void calls++
      const end = one.listen('queued', count)
      one.listen('queued', count)
      one.notify('queued', '')
      await expect.poll(() => calls).toBe(2)
      end()
      one.notify('queued', '')
      await expect.poll(() => calls).toBe(3)
    })
  })
}

import { describe, expect, it } from 'vitest'
import { Turns } from '../../base/turns.js'

describe('turns', () => {
  it('are taken one after the other for one key, in order, and at once for others', async () => {
    const turns = new Turns()
    const order: string[] = []
    const first = await turns.take('a')
    const waiting = ['second', 'third'].map(async (name) => {
      const giveBack = await turns.take('a')
      order.push(name)
      giveBack()
    })
    ;(await turns.take('b'))()
    expect(order).toEqual([])
    first()
    await Promise.all(waiting)
    expect(order).toEqual(['second', 'third'])
  })

  it("are taken until the last who waits has given it back, and giving back twice gives nobody else's back", async () => {
    const turns = new Turns()
    const first = await turns.take('a')
    const second = turns.take('a')
    first()
    first()
    expect(turns.isTaken('a')).toBe(true)
    const giveBack = await second
    first()
    expect(turns.isTaken('a')).toBe(true)
    giveBack()
    expect(turns.isTaken('a')).toBe(false)
  })

  it('are awaited as long as somebody waits', async () => {
    const turns = new Turns()
    const first = await turns.take('a')
    expect(turns.isAwaited('a')).toBe(false)
    const second = turns.take('a')
    expect(turns.isAwaited('a')).toBe(true)
    first()
    const giveBack = await second
    expect(turns.isAwaited('a')).toBe(false)
    giveBack()
    expect(turns.isAwaited('a')).toBe(false)
  })
})

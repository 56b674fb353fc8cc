import { describe, expect, it } from 'vitest'
import { Freezer } from '../../../isolation/engine/freezer.js'

const setUp = (running = true) => {
  const calls: string[] = []
  const note = (what: string) => () => {
    calls.push(what)
    return Promise.resolve(running)
  }
  const freezer = new Freezer(note('freeze'), async () => {
    await note('thaw')()
  })
  return { calls, freezer, note }
}

describe('the freezer', () => {
  it('takes one section at a time', async () => {
    const { calls, freezer, note } = setUp()
    await Promise.all([freezer.whileFrozen(note('first')), freezer.whileFrozen(note('second'))])
    expect(calls).toEqual(['freeze', 'first', 'thaw', 'freeze', 'second', 'thaw'])
  })

  it('lets work make ready while the container is being frozen', async () => {
    const { calls, freezer, note } = setUp()
    await freezer.fromFreezing(async (standstill) => {
      calls.push('ready')
      await standstill
      await note('work')()
    })
    expect(calls).toEqual(['freeze', 'ready', 'work', 'thaw'])
  })

  it('thaws also when the work failed before the container stood still', async () => {
    const calls: string[] = []
    let frozen = (): void => undefined
    const freezer = new Freezer(
      () => new Promise((resolve) => (frozen = () => resolve(true))),
      () => {
        calls.push('thaw')
        return Promise.resolve()
      },
    )
    const section = freezer.fromFreezing(() => Promise.reject(new Error('not ready')))
    await new Promise(setImmediate)
    frozen()
    await expect(section).rejects.toThrow('not ready')
    expect(calls).toEqual(['thaw'])
  })

  it('fails, and begins no work on the container, where it cannot be frozen', async () => {
    const { calls, note } = setUp()
    const failing = new Freezer(
      () => Promise.reject(new Error('no freezer')),
      async () => {
        await note('thaw')()
      },
    )
    await expect(failing.whileFrozen(note('work'))).rejects.toThrow('no freezer')
    // Not even where the work would have gone on without it.
    await expect(failing.fromFreezing(() => Promise.resolve())).rejects.toThrow('no freezer')
    await expect(failing.fromFreezing(() => Promise.reject(new Error('not ready')))).rejects.toMatchObject({
      message: 'not ready',
      cleanupFailures: [{ what: 'freeze the container', error: { message: 'no freezer' } }],
    })
    expect(calls).toEqual([])
  })

  it('thaws after work that fails, and goes on', async () => {
    const { calls, freezer, note } = setUp()
    await expect(freezer.whileFrozen(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
    await freezer.whileFrozen(note('next'))
    expect(calls).toEqual(['freeze', 'thaw', 'freeze', 'next', 'thaw'])
  })

  it('tells first what is wrong with the work, and then that the thaw failed too', async () => {
    const fail = (message: string) => () => Promise.reject(new Error(message))
    const freezer = new Freezer(() => Promise.resolve(true), fail('no thaw'))
    await expect(freezer.whileFrozen(fail('no work'))).rejects.toMatchObject({
      message: 'no work',
      cleanupFailures: [{ what: 'thaw the container', error: { message: 'no thaw' } }],
    })
    await expect(freezer.whileFrozen(() => Promise.resolve())).rejects.toThrow('no thaw')
  })

  it('does not thaw what has ended by itself', async () => {
    const { calls, freezer, note } = setUp(false)
    await freezer.whileFrozen(note('work'))
    expect(calls).toEqual(['freeze', 'work'])
  })

  it('closes behind the present section, and lets in none after it', async () => {
    const { calls, freezer, note } = setUp()
    let closed: Promise<void> | undefined
    const present = freezer.whileFrozen(async () => {
      closed = freezer.close()
      await note('present')()
    })
    await present
    await closed
    expect(calls).toEqual(['freeze', 'present', 'thaw'])
    await expect(freezer.whileFrozen(note('late'))).rejects.toMatchObject({ code: 'container-ending' })
  })
})

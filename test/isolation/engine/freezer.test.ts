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
  it('does one work item at a time', async () => {
    const { calls, freezer, note } = setUp()
    await Promise.all([freezer.whileFrozen(note('first')), freezer.whileFrozen(note('second'))])
    expect(calls).toEqual(['freeze', 'first', 'thaw', 'freeze', 'second', 'thaw'])
  })

  it('calls a hook before it freezes the container, and one after it has thawed it', async () => {
    const calls: string[] = []
    const note = (what: string) => () => Promise.resolve(calls.push(what) > 0)
    const hooks = { onFreeze: () => void calls.push('onFreeze'), onThaw: () => void calls.push('onThaw') }
    const freezer = new Freezer(note('freeze'), async () => void (await note('thaw')()), hooks)
    await freezer.whileFrozen(note('work'))
    expect(calls).toEqual(['onFreeze', 'freeze', 'work', 'thaw', 'onThaw'])
  })

  it('calls both hooks if freezing, the work or thawing fails', async () => {
    const fail = () => Promise.reject(new Error('no'))
    const succeed = () => Promise.resolve(true)
    for (const [freeze, work, thaw] of [
      [fail, succeed, succeed],
      [succeed, fail, succeed],
      [succeed, succeed, fail],
    ] as const) {
      const told: string[] = []
      const hooks = { onFreeze: () => void told.push('onFreeze'), onThaw: () => void told.push('onThaw') }
      const freezer = new Freezer(freeze, async () => void (await thaw()), hooks)
      await expect(freezer.whileFrozen(work)).rejects.toThrow('no')
      expect(told).toEqual(['onFreeze', 'onThaw'])
    }
  })

  it('fails without starting the work if the container cannot be frozen', async () => {
    const { calls, note } = setUp()
    const failing = new Freezer(
      () => Promise.reject(new Error('no freezer')),
      async () => {
        await note('thaw')()
      },
    )
    await expect(failing.whileFrozen(note('work'))).rejects.toThrow('no freezer')
    expect(calls).toEqual([])
  })

  it('thaws after work that fails, and accepts further work', async () => {
    const { calls, freezer, note } = setUp()
    await expect(freezer.whileFrozen(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
    await freezer.whileFrozen(note('next'))
    expect(calls).toEqual(['freeze', 'thaw', 'freeze', 'next', 'thaw'])
  })

  it('rejects with the error of the work, with the failed thaw as a cleanup failure', async () => {
    const fail = (message: string) => () => Promise.reject(new Error(message))
    const freezer = new Freezer(() => Promise.resolve(true), fail('no thaw'))
    await expect(freezer.whileFrozen(fail('no work'))).rejects.toMatchObject({
      message: 'no work',
      cleanupFailures: [{ what: 'thaw the container', error: { message: 'no thaw' } }],
    })
    await expect(freezer.whileFrozen(() => Promise.resolve())).rejects.toThrow('no thaw')
  })

  it('does not thaw a container that has ended', async () => {
    const { calls, freezer, note } = setUp(false)
    await freezer.whileFrozen(note('work'))
    expect(calls).toEqual(['freeze', 'work'])
  })

  it('closes after the current work, and rejects later work', async () => {
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

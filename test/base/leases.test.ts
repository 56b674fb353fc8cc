import { expect, it } from 'vitest'
import { Deferred } from '../../base/deferred.js'
import { Holder, Leases } from '../../base/leases.js'

it('a thing is held until each of its holders has released it', () => {
  const leases = new Leases()
  const [launch, call] = [new Holder(), new Holder()]
  leases.hold('blob', launch)
  leases.hold('blob', call)
  leases.hold('layer', launch)
  launch.release()
  launch.release()
  expect([leases.has('blob'), leases.has('layer')]).toEqual([true, false])
  call.release()
  expect(leases.has('blob')).toBe(false)
})

it('a holder gives back what it has everywhere', () => {
  const [layers, images] = [new Leases(), new Leases()]
  const launch = new Holder()
  layers.hold('layer', launch)
  images.hold('image', launch)
  launch.release()
  expect([layers.has('layer'), images.has('image')]).toEqual([false, false])
})

it('nothing is held for a holder whose work is over', () => {
  const leases = new Leases()
  const launch = new Holder()
  leases.hold('blob', launch)
  launch.release()
  leases.hold('late', launch)
  expect(leases.snapshot()).toEqual(new Set())
})

it('a snapshot keeps what was held, whatever is released or held afterwards', () => {
  const leases = new Leases()
  const [launch, next] = [new Holder(), new Holder()]
  leases.hold('blob', launch)
  const before = leases.snapshot()
  launch.release()
  leases.hold('another', next)
  expect(before).toEqual(new Set(['blob']))
  expect(leases.snapshot()).toEqual(new Set(['another']))
})

it('while somebody looks for things to hold, everything is in use, and then what was found', async () => {
  const leases = new Leases()
  const holder = new Holder()
  const found = new Deferred<readonly string[]>()
  const failing = leases.holdFound(
    new Holder(),
    () => Promise.reject(new Error('no such package')),
    () => [],
  )
  const finding = leases.holdFound(
    holder,
    () => found.promise,
    (things) => things,
  )
  await expect(failing).rejects.toThrow('no such package')
  expect([leases.has('blob'), leases.has('another')]).toEqual([true, true])
  found.resolve(['blob'])
  expect(await finding).toEqual(['blob'])
  expect([leases.has('blob'), leases.has('another')]).toEqual([true, false])
  holder.release()
  expect(leases.has('blob')).toBe(false)
})

it('a keeper is told of what is held, and asked before something refers to it', async () => {
  const told: string[] = []
  const leases = new Leases()
  await leases.confirm('without a keeper')
  leases.keepBy({
    held: (thing) => told.push(`held ${thing}`),
    confirm: (thing) => {
      told.push(`confirm ${thing}`)
      return thing === 'gone' ? Promise.reject(new Error('it is gone')) : Promise.resolve()
    },
  })
  const [holder, other] = [new Holder(), new Holder()]
  leases.hold('a', holder)
  leases.hold('b', other)
  await leases.confirmAll(holder)
  expect(told).toEqual(['held a', 'held b', 'confirm a'])
  leases.hold('gone', holder)
  await expect(leases.confirmAll(holder)).rejects.toThrow('it is gone')
  holder.release()
  await leases.confirmAll(holder)
})

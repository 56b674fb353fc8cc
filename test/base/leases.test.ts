import { expect, it } from 'vitest'
import { Leases } from '../../base/leases.js'

it('a thing is held until each of its holders has released it', () => {
  const leases = new Leases()
  const call = Symbol('call')
  leases.hold('blob', 'launch')
  leases.hold('blob', call)
  leases.hold('layer', 'launch')
  leases.release('launch')
  leases.release('launch')
  expect([leases.has('blob'), leases.has('layer')]).toEqual([true, false])
  leases.release(call)
  expect(leases.has('blob')).toBe(false)
})

it('a snapshot keeps what was held, whatever is released or held afterwards', () => {
  const leases = new Leases()
  leases.hold('blob', 'launch')
  const before = leases.snapshot()
  leases.release('launch')
  leases.hold('another', 'launch')
  expect(before).toEqual(new Set(['blob']))
  expect(leases.snapshot()).toEqual(new Set(['another']))
})

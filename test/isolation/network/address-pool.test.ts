import fc from 'fast-check'
import { Netmask } from 'netmask'
import { describe, expect, it } from 'vitest'
import { AddressPool, type Subnet } from '../../../isolation/network/address-pool.js'

describe('the pool of addresses', () => {
  it('cuts its block into pieces, the first usable address of each being the host', () => {
    const pool = new AddressPool('198.18.0.0/16')
    expect(pool.capacity).toBe(4096)
    expect(pool.take()).toEqual({ cidr: '198.18.0.0/28', gateway: '198.18.0.1' })
    expect(pool.take()).toEqual({ cidr: '198.18.0.16/28', gateway: '198.18.0.17' })
  })

  it('begins where it is told to', () => {
    expect(new AddressPool('10.0.0.0/24', 28, 17).take()?.cidr).toBe('10.0.0.16/28')
  })

  it.each(['', '10.0.0.0', '10.0.0.0/29', '10.0.0/16', '10.0.0.256/16', '10.0.0.0/33', 'fd00::/48'])(
    'refuses %j',
    (block) => {
      expect(() => new AddressPool(block)).toThrow(/not an address pool/)
    },
  )

  it('runs dry, and goes on with what is given back', () => {
    const pool = new AddressPool('10.0.0.0/27')
    const [first, second, third] = [pool.take(), pool.take(), pool.take()]
    expect(third).toBeUndefined()
    pool.give(first!)
    expect(pool.take()).toEqual(first)
    expect(second).toBeDefined()
  })

  it('keeps off the networks of others, until it has run dry', () => {
    const pool = new AddressPool('10.0.0.0/26')
    pool.avoid('10.0.0.16/30')
    pool.avoid('172.16.0.0/12')
    const taken = [pool.take(), pool.take(), pool.take()].map((subnet) => subnet?.cidr)
    expect(taken).toEqual(['10.0.0.0/28', '10.0.0.32/28', '10.0.0.48/28'])
    expect(pool.take()).toBeUndefined()
    expect(pool.take()?.cidr).toBe('10.0.0.16/28')
  })

  it('never has two takers for an address, whatever is taken and given back', () => {
    const block = new Netmask('198.18.4.0/24')
    fc.assert(
      fc.property(
        fc.nat(100),
        fc.array(fc.oneof(fc.constant('take'), fc.nat(20)), { maxLength: 200 }),
        (start, steps) => {
          const pool = new AddressPool(block.toString(), 28, start)
          const held: Subnet[] = []
          for (const step of steps) {
            if (typeof step === 'number') {
              const [back] = held.splice(step, 1)
              if (back) pool.give(back)
              continue
            }
            const subnet = pool.take()
            expect(subnet === undefined).toBe(held.length === pool.capacity)
            if (!subnet) continue
            expect(block.contains(subnet.cidr)).toBe(true)
            expect(new Netmask(subnet.cidr).first).toBe(subnet.gateway)
            for (const other of held) expect(new Netmask(other.cidr).contains(subnet.gateway)).toBe(false)
            held.push(subnet)
          }
        },
      ),
    )
  })
})

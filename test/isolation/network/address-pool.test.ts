import fc from 'fast-check'
import { Netmask } from 'netmask'
import { describe, expect, it } from 'vitest'
import { AddressPool, type Subnet } from '../../../isolation/network/address-pool.js'

describe('the address pool', () => {
  it('cuts its block into subnets, in each of which the first usable address is the gateway', () => {
    const pool = new AddressPool('198.18.0.0/16')
    expect(pool.capacity).toBe(4096)
    expect(pool.allocate()).toEqual({ cidr: '198.18.0.0/28', gateway: '198.18.0.1' })
    expect(pool.allocate()).toEqual({ cidr: '198.18.0.16/28', gateway: '198.18.0.17' })
  })

  it('begins at the given subnet', () => {
    expect(new AddressPool('10.0.0.0/24', 28, 17).allocate()?.cidr).toBe('10.0.0.16/28')
  })

  it.each(['', '10.0.0.0', '10.0.0.0/29', '10.0.0.256/16', '10.0.0.0/33', 'fd00::/48'])('rejects %j', (block) => {
    expect(() => new AddressPool(block)).toThrow(/not an address pool/)
  })

  it('is exhausted when every subnet is allocated, and allocates again what is released', () => {
    const pool = new AddressPool('10.0.0.0/27')
    const [first, second, third] = [pool.allocate(), pool.allocate(), pool.allocate()]
    expect(second).toBeDefined()
    expect(third).toBeUndefined()
    pool.release(first!)
    expect(pool.allocate()).toEqual(first)
  })

  it('skips subnets that overlap networks of others, until it is exhausted once', () => {
    const pool = new AddressPool('10.0.0.0/26')
    for (const cidr of ['10.0.0.16/30', '172.16.0.0/12', 'fd00::/64', 'no network']) pool.avoid(cidr)
    const allocated = [pool.allocate(), pool.allocate(), pool.allocate()].map((subnet) => subnet?.cidr)
    expect(allocated).toEqual(['10.0.0.0/28', '10.0.0.32/28', '10.0.0.48/28'])
    expect(pool.allocate()).toBeUndefined()
    expect(pool.allocate()?.cidr).toBe('10.0.0.16/28')
  })

  it('skips all of its subnets when a network of others covers the whole block', () => {
    const pool = new AddressPool('10.0.0.0/26')
    pool.avoid('10.0.0.0/8')
    expect(pool.allocate()).toBeUndefined()
  })

  it('does not free a subnet for a holder that has given it back already', () => {
    const pool = new AddressPool('10.0.0.0/28')
    const first = pool.allocate()!
    pool.release(first)
    const second = pool.allocate()
    expect(second).toEqual(first)
    pool.release(first)
    expect(pool.allocate()).toBeUndefined()
  })

  it('never allocates an address twice, whatever is allocated and released', () => {
    const block = new Netmask('198.18.4.0/24')
    fc.assert(
      fc.property(
        fc.nat(100),
        fc.array(fc.oneof(fc.constant('allocate'), fc.nat(20)), { maxLength: 200 }),
        (start, steps) => {
          const pool = new AddressPool(block.toString(), 28, start)
          const held: Subnet[] = []
          for (const step of steps) {
            if (typeof step === 'number') {
              const [released] = held.splice(step, 1)
              if (released) pool.release(released)
              continue
            }
            const subnet = pool.allocate()
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

import { expect, it } from 'vitest'
import { FailedLogins } from '../../daemon/access/failed-logins.js'

const failures = () => {
  let now = 0
  const counted = new FailedLogins(() => now)
  return { counted, wait: (ms: number) => void (now += ms) }
}
const add = ({ counted }: ReturnType<typeof failures>, address: string, times = 1) =>
  Array.from({ length: times }, () => counted.add(address)).at(-1)

it('an address may fail ten times a minute, and is heard again a minute after the first', () => {
  const some = failures()
  expect(add(some, '192.0.2.1', 10)).toBe(false)
  expect(add(some, '192.0.2.1')).toBe(true)
  expect(add(some, '192.0.2.2')).toBe(false)
  some.wait(59_999)
  expect(add(some, '192.0.2.1')).toBe(true)
  some.wait(1)
  expect(add(some, '192.0.2.1')).toBe(false)
})

it('a network of IPv6 counts as one address, and an IPv4 address as the same in either form', () => {
  const some = failures()
  add(some, '2001:db8::1', 5)
  add(some, '2001:db8:0:0:ffff::2', 5)
  expect(add(some, '2001:0DB8::dead:beef')).toBe(true)
  expect(add(some, '2001:db8:0:1::1')).toBe(false)
  expect(add(some, 'fe80::1%eth0')).toBe(false)
  add(some, '192.0.2.1', 10)
  expect(add(some, '::ffff:192.0.2.1')).toBe(true)
})

it('the memory has a limit, whatever the number of addresses', () => {
  const some = failures()
  for (let host = 0; host < 20_000; host += 1) add(some, `10.${host >> 16}.${(host >> 8) & 255}.${host & 255}`)
  expect(some.counted.size).toBe(10_000)
})

import type { BigIntStats } from 'node:fs'
import { expect, it } from 'vitest'
import { TrustedFiles } from '../../../daemon/store/trusted-files.js'

const HOUR = 60 * 60 * 1000
const [A, B] = ['a'.repeat(64), 'b'.repeat(64)]

const file = (change: Partial<Record<'dev' | 'ino' | 'size' | 'mtimeNs' | 'ctimeNs', bigint>> = {}) =>
  ({ dev: 1n, ino: 2n, size: 3n, mtimeNs: 4n, ctimeNs: 5n, ...change }) as BigIntStats

it('trusts files that were added, and no others', () => {
  const trusted = new TrustedFiles()
  expect(trusted.has(A, file())).toBe(false)
  trusted.add(A, file())
  expect([trusted.has(A, file()), trusted.has(B, file())]).toEqual([true, false])
  trusted.forget(A)
  expect(trusted.has(A, file())).toBe(false)
})

it.each(['dev', 'ino', 'size', 'mtimeNs', 'ctimeNs'] as const)('does not trust a file with another %s', (name) => {
  const trusted = new TrustedFiles()
  trusted.add(A, file())
  expect(trusted.has(A, file({ [name]: 99n }))).toBe(false)
})

it('compares times to the nanosecond', () => {
  const trusted = new TrustedFiles()
  const now = 1_800_000_000_000_000_000n
  trusted.add(A, file({ mtimeNs: now }))
  expect(trusted.has(A, file({ mtimeNs: now + 1n }))).toBe(false)
})

it('trusts a file for a day, which renewal does not extend', () => {
  let now = 0
  const trusted = new TrustedFiles(() => now)
  trusted.add(A, file())
  now = 23 * HOUR
  trusted.renew(A, file(), file({ ctimeNs: 6n }))
  expect([trusted.has(A, file()), trusted.has(A, file({ ctimeNs: 6n }))]).toEqual([false, true])
  now = 24 * HOUR
  expect(trusted.has(A, file({ ctimeNs: 6n }))).toBe(false)
  trusted.add(A, file({ ctimeNs: 6n }))
  expect(trusted.has(A, file({ ctimeNs: 6n }))).toBe(true)
})

it('renews only a file that it trusts in its previous state', () => {
  const trusted = new TrustedFiles()
  trusted.add(A, file())
  trusted.renew(A, file({ ctimeNs: 6n }), file({ ctimeNs: 7n }))
  trusted.renew(B, file(), file({ ctimeNs: 7n }))
  expect([trusted.has(A, file({ ctimeNs: 7n })), trusted.has(B, file({ ctimeNs: 7n }))]).toEqual([false, false])
})

it('forgets the oldest file when there are too many', () => {
  const trusted = new TrustedFiles()
  const digests = Array.from({ length: 20_001 }, (_, i) => i.toString(16).padStart(64, '0'))
  for (const digest of digests) trusted.add(digest, file())
  expect([digests[0]!, digests[1]!, digests.at(-1)!].map((digest) => trusted.has(digest, file()))).toEqual([
    false,
    true,
    true,
  ])
})

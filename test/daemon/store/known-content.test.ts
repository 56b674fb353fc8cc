import type { BigIntStats } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { expect, it } from 'vitest'
import { KnownContent } from '../../../daemon/store/known-content.js'
import { TrustedFiles } from '../../../daemon/store/trusted-files.js'
import { VerifiedBlobStream } from '../../../daemon/store/verified-blob-stream.js'

const MINUTE = 60_000
const A = 'a'.repeat(64)
const FILE = { dev: 1n, ino: 2n, size: 3n, mtimeNs: 4n, ctimeNs: 5n } as BigIntStats

it('tells of a trusted file that is given out some time after the last look at it', () => {
  let now = 0
  const given: string[] = []
  const observer = {
    judged: () => undefined,
    deleted: () => undefined,
    givenOut: (sha256: string) => given.push(sha256),
  }
  const known = new KnownContent({ observer }, new TrustedFiles(() => now))
  known.sound(A, FILE)
  now = 10 * MINUTE
  expect([known.mayGiveOut(A, FILE), given]).toEqual([true, []])
  now += 1
  expect([known.mayGiveOut(A, FILE), given]).toEqual([true, [A]])
  known.sound(A, FILE)
  expect([known.mayGiveOut(A, FILE), given]).toEqual([true, [A]])
  now = 25 * 60 * MINUTE
  // The reader looks at it.
  expect([known.mayGiveOut(A, FILE), given]).toEqual([false, [A]])
})

it.each(['EIO', 'EUCLEAN', 'EBADMSG'])('%s of the disk is damage of the content', async (code) => {
  const verdicts: string[] = []
  const file = {
    read: () => Promise.reject(Object.assign(new Error('i/o error, read'), { code })),
    close: () => Promise.resolve(),
  } as unknown as FileHandle
  const stream = new VerifiedBlobStream(file, A, 100, (verdict) => verdicts.push(verdict))
  await expect(buffer(stream)).rejects.toMatchObject({
    code: 'blob-corrupt',
    message: expect.stringContaining(code) as string,
  })
  expect(verdicts).toEqual(['damaged'])
})

it('an error that says nothing about the content is no damage', async () => {
  const verdicts: string[] = []
  const file = {
    read: () => Promise.reject(Object.assign(new Error('out of memory'), { code: 'ENOMEM' })),
    close: () => Promise.resolve(),
  } as unknown as FileHandle
  const stream = new VerifiedBlobStream(file, A, 100, (verdict) => verdicts.push(verdict))
  await expect(buffer(stream)).rejects.toMatchObject({ code: 'ENOMEM' })
  expect(verdicts).toEqual([])
})

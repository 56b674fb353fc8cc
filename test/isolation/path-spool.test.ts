import { readlinkSync, readdirSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { finished } from 'node:stream/promises'
import { expect, test } from 'vitest'
import { PathSpool } from '../../isolation/snapshot/path-spool.js'

/** Files that this process has open and that have no name any more. */
function namelessFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`)
      return /\/stagerd-\S+ \(deleted\)$/.test(target) ? [target] : []
    } catch {
      // The descriptor of the listing itself.
      return []
    }
  })
}

test('what was added comes out in its order, each path ended by a NUL', async () => {
  const spool = new PathSpool()
  const paths = Array.from({ length: 5000 }, (_, index) => `directory ${index}/\n\xff`)
  for (const path of paths) spool.add(path)
  expect(spool.count).toBe(5000)
  const list = spool.read()
  expect(await text(list.setEncoding('latin1'))).toBe(paths.map((path) => `${path}\0`).join(''))
  await finished(list)
  spool.close()
  expect(namelessFiles()).toEqual([])
})

test('what nobody reads is gone when it is closed', () => {
  const spool = new PathSpool()
  spool.add('a')
  expect(namelessFiles()).toHaveLength(1)
  spool.close()
  spool.close()
  expect(namelessFiles()).toEqual([])
})

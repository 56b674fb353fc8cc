import { once } from 'node:events'
import { readlinkSync, readdirSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { finished } from 'node:stream/promises'
import { expect, test } from 'vitest'
import { PathSpool } from '../../../isolation/snapshot/path-spool.js'

/** Deleted files of spools that this process has open. */
function namelessFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`)
      return /\/stagerd-[0-9a-f-]{36} \(deleted\)$/.test(target) ? [target] : []
    } catch {
      // The descriptor of the listing itself.
      return []
    }
  })
}

const PATHS = Array.from({ length: 5000 }, (_, index) => `directory ${index}/\n\xff`)
const LIST = PATHS.map((path) => `${path}\0`).join('')

/** The whole list, with bytes as latin1. */
async function all(list: Readable): Promise<string> {
  const read = await text(list.setEncoding('latin1'))
  await finished(list)
  return read
}

test('each reader gets all paths in order, each terminated by a NUL', async () => {
  const spool = new PathSpool()
  for (const path of PATHS) spool.add(path)
  spool.end()
  expect(spool.count).toBe(5000)
  expect(await all(spool.read())).toBe(LIST)
  expect(await all(spool.read())).toBe(LIST)
  spool.close()
  expect(namelessFiles()).toEqual([])
})

test('a reader waits for paths that have not been added yet', async () => {
  const spool = new PathSpool()
  const reading = all(spool.read())
  for (const path of PATHS) {
    spool.add(path)
    if (Math.random() < 0.01) await new Promise((resolve) => setImmediate(resolve))
  }
  spool.end()
  expect(await reading).toBe(LIST)
  spool.close()
})

test('a reader of an incomplete list fails when the spool is closed', async () => {
  const spool = new PathSpool()
  spool.add('a')
  const reading = all(spool.read())
  spool.close()
  await expect(reading).rejects.toThrow('closed')
  expect(namelessFiles()).toEqual([])
})

test('the file stays open until its last reader has closed', async () => {
  const spool = new PathSpool()
  for (const path of PATHS) spool.add(path)
  spool.end()
  const list = spool.read()
  await once(list, 'readable')
  spool.close()
  expect(namelessFiles()).toHaveLength(1)
  list.destroy()
  await once(list, 'close')
  expect(namelessFiles()).toEqual([])
})

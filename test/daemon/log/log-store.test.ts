import { mkdir, symlink } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import { beforeEach, expect, it } from 'vitest'
import { LogStore } from '../../../daemon/log/log-store.js'
import { textsOf, useLogDirectory } from './log-directory.js'

const STAGING = '0d9a2a68-6f0c-4b6c-9d7e-0a5f2f0c1b2a'
const directory = useLogDirectory()
const signal = new AbortController().signal

let ended: boolean
let logs: LogStore

beforeEach(() => {
  ended = false
  logs = new LogStore(`${directory()}/logs`, () => Promise.resolve(ended))
})

const texts = (follow: boolean) => textsOf(logs.follow(STAGING, { since: 0, follow, signal }))

it('sends each line to every follower, until the staging has ended and the writer is closed', async () => {
  const writer = await logs.write(STAGING)
  const followers = [texts(true), texts(true)]
  await writer.message('Launching instance')
  ended = true
  await writer.append('stdout', ['one', 'two'])
  await writer.close()
  for (const follower of followers) expect(await follower).toEqual(['1 Launching instance', '2 one', '3 two'])
})

it('follows a log from one writer to the next', async () => {
  const followed = texts(true)
  for (const text of ['before the restart', 'after it']) {
    const writer = await logs.write(STAGING)
    await writer.message(text)
    ended = text === 'after it'
    await writer.close()
  }
  expect(await followed).toEqual(['1 before the restart', '2 after it'])
})

it('ends for its followers with the staging, even if the last line cannot be written', async () => {
  await mkdir(`${directory()}/logs`)
  // It can be neither read nor created.
  await symlink(`${directory()}/missing/file`, `${directory()}/logs/${STAGING}.ndjson`)
  const followed = logs.follow(STAGING, { since: 0, follow: true, signal }).next()
  await setImmediate()
  ended = true
  await expect(logs.write(STAGING)).rejects.toThrow('ENOENT')
  expect(await followed).toEqual({ value: undefined, done: true })
})

it('has no lines of a staging that never started', async () => {
  ended = true
  expect(await texts(true)).toEqual([])
})

it('lists its logs, and reports whether a log has a writer', async () => {
  expect(await logs.list()).toEqual([])
  const writer = await logs.write(STAGING)
  await writer.message('one')
  expect(logs.isTaken(STAGING)).toBe(true)
  await writer.close()
  expect(logs.isTaken(STAGING)).toBe(false)
  expect(await logs.list()).toMatchObject([{ staging: STAGING }])
  await logs.delete(STAGING)
  await logs.delete(STAGING)
  expect(await logs.list()).toEqual([])
})

it('accepts only the UUID of a staging as a name', async () => {
  await expect(logs.write('../node-id')).rejects.toThrow('not the UUID of a staging')
})

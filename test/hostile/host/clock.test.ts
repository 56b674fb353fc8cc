import { buffer } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { blobName } from '../../../daemon/backup/backup-files.js'
import { ApiUnderTest } from '../../daemon/api/api-under-test.js'
import { checkKept } from '../support/stored.js'
import { figures } from '../support/promises.js'

const HOUR_MS = 60 * 60_000

/** How far somebody sets the clock of the host, in milliseconds. */
const JUMPS: Readonly<Record<string, number>> = {
  'an hour forward': HOUR_MS,
  'a day forward': 24 * HOUR_MS,
  'ten years forward': 3652 * 24 * HOUR_MS,
  'an hour back': -HOUR_MS,
  'a day back': -24 * HOUR_MS,
  'to 1970': -Date.now() + 1000,
}

let under: ApiUnderTest
beforeEach(async () => {
  // Only what says which time of day it is: timers go on as before, as they do on a host.
  vi.useFakeTimers({ toFake: ['Date'] })
  under = await ApiUnderTest.open()
})
afterEach(async () => {
  vi.useRealTimers()
  await under.close()
})

it.each(Object.entries(JUMPS))(
  'when the clock is set %s, no upload within its grace period is lost',
  async (what, ms) => {
    const before = await under.upload(gzipSync(`before ${what}`))
    vi.setSystemTime(Date.now() + ms)
    const after = await under.upload(gzipSync(`after ${what}`))

    expect((await under.ask('POST', '/v1/node/gc', {})).status).toBe(200)
    await checkKept(`an upload before the clock was set ${what}`, under.blobs, before)
    await checkKept(`an upload after the clock was set ${what}`, under.blobs, after)

    const { request, answer } = await under.connect('POST', '/v1/node/backup')
    request.end()
    const answered = await answer
    expect(answered.statusCode).toBe(200)
    const backup = (await buffer(answered)).toString('latin1')
    const missing = [before, after].filter((sha256) => !backup.includes(blobName(sha256)))
    figures.check('loss', `a back-up after the clock was set ${what}`, missing)
  },
)

it.each(Object.entries(JUMPS))('when the clock is set %s, the control API goes on', async (what, ms) => {
  const made = await under.ask('POST', '/v1/packages', { namespace: '/', name: 'before' })
  vi.setSystemTime(Date.now() + ms)
  expect((await under.ask('GET', '/healthz')).status).toBe(200)
  expect((await under.ask('POST', '/v1/packages', { namespace: '/', name: 'after' })).status).toBe(201)
  const listed = await under.ask<readonly { readonly uuid: string }[]>('GET', '/v1/packages')
  const found = listed.document.map(({ uuid }) => uuid)
  figures.check(
    'loss',
    `a package before the clock was set ${what}`,
    found.includes(made.document.uuid as string) ? [] : [found.join()],
  )
})

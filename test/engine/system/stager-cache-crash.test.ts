import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import type { Package } from '../../../daemon/documents/package.js'
import type { Staging } from '../../../daemon/documents/staging.js'
import { damageCaches, DAMAGES, type Damage } from '../support/damage-caches.js'
import { KeepingStagers, type Inputs, type Staged } from '../support/keeping-stager.js'
import { expectNothingLeft, removeImages } from '../support/leftovers.js'
import { PrivateDaemon, until } from '../support/private-daemon.js'

/** A cache that was cut off, filled or damaged changes no result. */

let daemon: PrivateDaemon
let stagers: KeepingStagers
let name: string
let turn = 0
/** What a package is without a cache, by page and lock file. */
const fresh = new Map<string, Staged>()

beforeAll(async () => {
  daemon = await PrivateDaemon.start(['--stager-cache', '1MB'])
  stagers = await KeepingStagers.add(daemon)
  // Time to be killed in.
  await daemon.ask('PATCH', `/v1/stagers/${encodeURIComponent('job::/::keeping')}`, {
    environment_set: { PAUSE: '0.3' },
  })
})
beforeEach(async () => {
  name = await stagers.newPackage()
})
afterAll(async () => {
  await daemon.stop()
  await expectNothingLeft(daemon)
  await removeImages(daemon)
  await daemon.close()
})

/** Another page each time, so that the result before is not that of now. */
const next = (lock = '1'): Inputs => ({ index: `page ${++turn % 2}`, lock, mode: undefined })

async function finish({ uuid }: Staging, staged: Inputs): Promise<string> {
  const { state } = await daemon.ended(uuid)
  const log = await daemon.text(uuid)
  expect(state, log).toBe('succeeded')
  const key = JSON.stringify(staged)
  if (!fresh.has(key)) fresh.set(key, await stagers.fresh(staged))
  expect(await stagers.staged(name), log).toEqual(fresh.get(key))
  return log
}

async function stage(staged = next()): Promise<string> {
  return await finish(await stagers.submit(name, staged, { reuse: false }), staged)
}

const layers = () => readdir(path.join(daemon.stateDirectory, 'caches'), { recursive: true }).catch(() => [])

const isListOf = (packageUuid: string, file: string) => file.startsWith(packageUuid) && file.endsWith('/layers.json')

const MOMENTS: Readonly<Record<string, (staging: Staging, before: number) => Promise<void>>> = {
  'while the stager writes to its cache': ({ uuid }) => says(uuid, 'half of it is kept'),
  'after the verdict, before the stager has ended': ({ uuid }) => says(uuid, 'the verdict is there'),
  'when the new layer is there': (_, before) => until('a layer is there', async () => (await layers()).length > before),
  ...Object.fromEntries(
    [5, 50, 200].map((ms) => [
      `${ms} ms after the verdict`,
      async ({ uuid }: Staging) => {
        await says(uuid, 'the verdict is there')
        await delay(ms)
      },
    ]),
  ),
}

const says = (uuid: string, line: string) =>
  until(`it says ${line}`, async () => (await daemon.text(uuid, { follow: false })).includes(line))

it.each(Object.entries(MOMENTS))('kill -9 %s: the result is that without a cache, now and next', async (_, moment) => {
  await stage()
  const before = (await layers()).length
  const staged = next('2')
  const staging = await stagers.submit(name, staged, { reuse: false })
  await moment(staging, before)
  await daemon.kill()
  await daemon.restart()
  await finish(staging, staged)
  await stage(next('2'))
  await stage(next('1'))
})

it('what is kept is over its quota again and again: the results are those without a cache', async () => {
  for (const lock of ['1', '2', '3', '4', '3', '2']) await stage(next(lock))
  expect(await daemon.log()).toContain('the cache of a stager is over its quota, and was emptied')
})

it.each(
  (Object.keys(DAMAGES) as Damage[]).flatMap((damage): [Damage, string, 'kept' | 'lists'][] => [
    [damage, 'of what it has kept', 'kept'],
    [damage, 'of its list', 'lists'],
  ]),
)('%s %s: the result is that without a cache, and the cache begins again', async (damage, _, which) => {
  await stage()
  const { uuid } = await daemon.ask<Package>('GET', `/v1/packages/${encodeURIComponent(`package::/::${name}`)}`)
  // What a stager has kept is put away after the end of its staging.
  await until('its list is there', async () => (await layers()).some((one) => isListOf(uuid, one)))
  expect(await damageCaches(daemon.stateDirectory, damage, which, uuid)).toBeGreaterThan(0)
  expect(await stage()).toContain('installing the modules')
  expect(await stage()).toContain('the modules are those of the last staging')
})

import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Package } from '../../../daemon/documents/package.js'
import type { Staging } from '../../../daemon/documents/staging.js'
import { damageCaches, DAMAGES, type Damage } from '../support/damage-caches.js'
import { KeepingStagers, type Inputs, type Staged } from '../support/keeping-stager.js'
import { expectNothingLeft, removeImages } from '../support/leftovers.js'
import { PrivateDaemon, until } from '../support/private-daemon.js'

/**
 * A cache that was cut off, filled or damaged changes no result. With CRASHES, the daemon is also killed some time after a
 * verdict, and each file is damaged in each way.
 */
const ALL = process.env['CRASHES'] !== undefined
const AFTER_VERDICT_MS = ALL ? [2, 5, 10, 20, 50, 100, 200, 400] : []

let daemon: PrivateDaemon
let stagers: KeepingStagers
let turn = 0
/** What a package is without a cache, by page and lock file. */
const fresh = new Map<string, Promise<Staged>>()

beforeAll(async () => {
  daemon = await PrivateDaemon.start(['--stager-cache', '1MB', '--concurrency', '4'])
  stagers = await KeepingStagers.add(daemon)
  // Time to be killed in.
  await daemon.ask('PATCH', `/v1/stagers/${encodeURIComponent('job::/::keeping')}`, {
    environment_set: { PAUSE: '0.3' },
  })
})
afterAll(async () => {
  await daemon.stop()
  await expectNothingLeft(daemon)
  await removeImages(daemon)
  await daemon.close()
})

/** Another page each time, so that the result before is not that of now. */
const next = (lock = '1'): Inputs => ({ index: `page ${++turn % 2}`, lock, mode: undefined })

function freshOf(staged: Inputs): Promise<Staged> {
  const key = JSON.stringify(staged)
  const made = fresh.get(key) ?? stagers.fresh(staged)
  fresh.set(key, made)
  return made
}

async function finish({ uuid }: Staging, staged: Inputs, app: string): Promise<string> {
  const { state } = await daemon.ended(uuid)
  const log = await daemon.text(uuid)
  expect(state, log).toBe('succeeded')
  expect(await stagers.staged(app), log).toEqual(await freshOf(staged))
  return log
}

async function stage(app: string, staged = next()): Promise<string> {
  const staging = await stagers.submit(app, staged, { reuse: false })
  const log = await finish(staging, staged, app)
  // What a stager has kept is put away after the end of its staging.
  const { launches } = await daemon.ended(staging.uuid)
  const isOver = `"launch":"${launches.at(-1)?.uuid}","step":"undo"`
  await until('its cache is put away', async () => (await daemon.log()).includes(isOver))
  return log
}

const layers = () => readdir(path.join(daemon.stateDirectory, 'caches'), { recursive: true }).catch(() => [])

const MOMENTS: Readonly<Record<string, (staging: Staging, before: number) => Promise<void>>> = {
  'while the stager writes to its cache': ({ uuid }) => says(uuid, 'half of it is kept'),
  'after the verdict, before the stager has ended': ({ uuid }) => says(uuid, 'the verdict is there'),
  'when the new layer is there': (_, before) => until('a layer is there', async () => (await layers()).length > before),
  ...Object.fromEntries(
    AFTER_VERDICT_MS.map((ms) => [
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
  const app = await stagers.newPackage()
  await stage(app)
  const before = (await layers()).length
  const staged = next('2')
  const staging = await stagers.submit(app, staged, { reuse: false })
  await moment(staging, before)
  await daemon.kill()
  await daemon.restart()
  await finish(staging, staged, app)
  await stage(app, next('2'))
})

it('what is kept is over its quota again and again: the results are those without a cache', async () => {
  const app = await stagers.newPackage()
  for (const lock of ['1', '2', '3', '4', '3', '2']) await stage(app, next(lock))
  expect(await daemon.log()).toContain('the cache of a stager is over its quota, and was emptied')
})

/** By default, each way once: lists are damaged in every second one, and what is kept in the others. */
function damagesOf(which: 'kept' | 'lists'): readonly Damage[] {
  const all = Object.keys(DAMAGES) as Damage[]
  return ALL ? all : all.filter((_, index) => (index % 2 === 0) === (which === 'kept'))
}

it('damage of what is kept, or of its list: the result is that without a cache, and the cache begins again', async () => {
  // Packages have caches of their own, so this goes on for both at once.
  const damageInTurn = async (which: 'kept' | 'lists') => {
    const app = await stagers.newPackage()
    const { uuid } = await daemon.ask<Package>('GET', `/v1/packages/${encodeURIComponent(`package::/::${app}`)}`)
    expect(await stage(app)).toContain('installing the modules')
    for (const damage of damagesOf(which)) {
      expect(await damageCaches(daemon.stateDirectory, damage, which, uuid), damage).toBeGreaterThan(0)
      expect(await stage(app), damage).toContain('installing the modules')
    }
    expect(await stage(app)).toContain('the modules are those of the last staging')
  }
  await Promise.all((['kept', 'lists'] as const).map(damageInTurn))
})

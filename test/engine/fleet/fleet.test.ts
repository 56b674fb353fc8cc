import { createHash } from 'node:crypto'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Package } from '../../../daemon/documents/package.js'
import type { Staging } from '../../../daemon/documents/staging.js'
import { settleAll } from '../../../base/settle-all.js'
import { figures } from '../../hostile/support/promises.js'
import { endings, takenOver, termsLost, violations } from '../../support/fleet/check-recorded.js'
import { haveAllEnded, record, recorded } from '../../support/fleet/recorded-history.js'
import { Fleet } from '../support/fleet.js'
import { FAULTS, LEASE_MS, MORE_FAULTS } from '../support/fleet-faults.js'
import { until, type PrivateDaemon } from '../support/private-daemon.js'
import { recipeTarball, stagerTarball, tarballOf } from '../support/tarballs.js'

/** ./scripts/soak stages more, through several rounds of faults. */
const STAGINGS = Number(process.env['FLEET_STAGINGS'] ?? 12)
const ROUNDS = Math.max(1, Math.floor(STAGINGS / 50))
/** With `own`, each node has its own host and Engine. */
const ENGINES = process.env['FLEET_ENGINES'] === 'own' ? 'own' : 'one'
/** With `lease`, the lease of the first node is broken, and the checker has to find what follows. */
const IS_LEASE_BROKEN = process.env['FLEET_PLANT'] === 'lease'
const IS_SHORT = STAGINGS <= 12 && !IS_LEASE_BROKEN
const DEADLINE_MS = 60_000 + STAGINGS * 5_000
/** Of the whole test: the deadline after the last fault, and what is before and after that. */
const LIMIT_MS = DEADLINE_MS + ROUNDS * 120_000

/** As the library for stagers does, it asks again: an object store that is away for a moment is no reason to give up. */
const BUILD = `#!/bin/sh
ask() {
  for try in 1 2 3 4 5 6 7 8 9 10; do wget -q -O /tmp/answer "$@" && return; sleep 1; done
  exit 1
}
mkdir -p /app/out
ask "$STAGER_URL/data"
sleep 0.5
echo built >>/app/out/built
ask --post-data= "$STAGER_URL/snapshot?directory=/app/out"
ask --post-data= "$STAGER_URL/done"
`

let fleet: Fleet
const node = (n: number): PrivateDaemon => fleet.nodes[n % fleet.nodes.length]!.daemon
const packageUrl = (n: number) => `/v1/packages/${encodeURIComponent(`package::/::app-${n}`)}`

beforeAll(async () => {
  fleet = await Fleet.start({
    flags: ['--concurrency', '3', '--node-lease', `${LEASE_MS}ms`],
    // The clock of the last one is wrong.
    aheadSeconds: [0, 0, 120],
    engines: ENGINES,
    isLeaseBroken: IS_LEASE_BROKEN,
  })
  const daemon = node(0)
  const file = (name: string) => path.join(daemon.directory, name)
  await daemon.addPackage(await recipeTarball('busybox'), 'busybox', { provides: 'os.linux' })
  const program = await stagerTarball(file('build.tar.gz'), { build: BUILD })
  await daemon.addPackage(program, 'build', { dependencies: 'os.linux' })
  const stagers: string[] = []
  for (const name of ['first', 'second'])
    stagers.push((await daemon.addStager({ name, package: 'package::/::build', start_command: './build' })).uuid)
  await daemon.ask('POST', '/v1/stagingpipelines', { namespace: '/', name: 'both', stagers })
  const source = await tarballOf(file('app.tar.gz'), { 'app/index.html': 'hello' })
  for (let n = 0; n < STAGINGS; n++) await daemon.addPackage(source, `app-${n}`, { state: 'uploaded' })
  await record(fleet.database.connection())
})

afterAll(() => fleet.close())

/**
 * Submits until the node acknowledges. One that gets no answer may have submitted all the same: then the package is busy, or the
 * staging has ended already.
 */
async function submit(n: number): Promise<string> {
  let uuid: string | undefined
  await until(`staging ${n} is acknowledged`, async () => {
    const pipeline = 'stagpipe::/::both'
    const draft = { package: `package::/::app-${n}`, pipeline, reuse: false }
    const answer = await node(n)
      .call('POST', '/v1/stagings', draft)
      .catch(() => undefined)
    if (answer?.status === 201) uuid = (answer.document as Staging).uuid
    else if (answer?.status === 409) {
      const package_ = encodeURIComponent(draft.package)
      const known = await node(n)
        .call('GET', `/v1/stagings?package=${package_}`)
        .catch(() => undefined)
      uuid = (known?.status === 200 ? (known.document as Staging[])[0]?.uuid : undefined) ?? uuid
    }
    return uuid !== undefined
  })
  return uuid!
}

/** Submits all while the faults happen, and waits for their ends. @returns the UUIDs of those that were acknowledged */
async function stageAll(): Promise<readonly string[]> {
  const over = new AbortController()
  const disaster = (async () => {
    for (let round = 0; round < ROUNDS; round++)
      for (const fault of IS_SHORT ? FAULTS : [...MORE_FAULTS, ...FAULTS]) {
        await delay(1_000)
        await fault(fleet)
      }
  })().finally(() => over.abort())
  const submission = (async () => {
    const uuids: string[] = []
    for (let n = 0; n < STAGINGS; n++) {
      uuids.push(await submit(n))
      // Some are always running, from the first fault to the last.
      if (!over.signal.aborted) await delay(((IS_SHORT ? 9 : 11) * LEASE_MS * ROUNDS) / STAGINGS)
    }
    return uuids
  })()
  await settleAll([disaster, submission])
  await until('all stagings have ended', () => haveAllEnded(fleet.database.connection()), DEADLINE_MS)
  return await submission
}

const changes = () => recorded(fleet.database.connection())

async function eachEndsOnceByItsOwnerAndCanBeRead(): Promise<void> {
  const began = performance.now()
  const acknowledged = await stageAll()
  const history = await changes()
  const [seconds, moved] = [Math.round((performance.now() - began) / 1000), takenOver(history).size]
  console.info(`${seconds} s; ${moved} stagings went on at another node; ${termsLost(history)} terms were lost`)
  figures.check('loss', 'verdicts of a fleet', violations(history))
  expect(moved, 'stagings that went on at another node').toBeGreaterThan(0)
  const ended = [...endings(history)].map(([uuid, state]) => [uuid, state !== undefined])
  expect(ended.sort()).toEqual([...acknowledged].sort().map((uuid) => [uuid, true]))
  const stagings = await Promise.all(acknowledged.map((uuid) => node(0).ask<Staging>('GET', `/v1/stagings/${uuid}`)))
  expect(stagings.map(({ state, failure }) => failure?.message ?? state)).toEqual(acknowledged.map(() => 'succeeded'))
  for (let n = 0; n < STAGINGS; n++)
    for (const { daemon } of fleet.nodes) {
      const { resource, state } = await daemon.ask<Package>('GET', packageUrl(n))
      const data = await daemon.download(packageUrl(n))
      const digest = `sha256:${createHash('sha256').update(data).digest('hex')}`
      expect({ state, digest }).toEqual({ state: 'ready', digest: resource?.digest })
    }
}

async function theVerdictsOfABrokenLeaseAreFound(): Promise<void> {
  await stageAll()
  const found = violations(await changes())
  console.info(found.join('\n'))
  expect(found).toContainEqual(expect.stringMatching(/by term \d+, which had ended|without an owner|is owned by/))
}

const what = `${STAGINGS} stagings at three nodes, while nodes and servers die, stand still and are cut off`
if (IS_LEASE_BROKEN)
  it(`${what}: the verdicts of a node whose lease is broken are found`, theVerdictsOfABrokenLeaseAreFound, LIMIT_MS)
else it(`${what}: each ends once, by its owner, and can be read`, eachEndsOnceByItsOwnerAndCanBeRead, LIMIT_MS)

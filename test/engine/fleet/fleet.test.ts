import { createHash } from 'node:crypto'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Package } from '../../../daemon/documents/package.js'
import type { Staging } from '../../../daemon/documents/staging.js'
import { settleAll } from '../../../base/settle-all.js'
import { figures } from '../../hostile/support/promises.js'
import { endings, takenOver, violations } from '../../support/fleet/check-recorded.js'
import { record, recorded } from '../../support/fleet/recorded-history.js'
import { Fleet } from '../support/fleet.js'
import { until, type PrivateDaemon } from '../support/private-daemon.js'
import { recipeTarball, stagerTarball, tarballOf } from '../support/tarballs.js'

/** ./scripts/soak stages more. */
const STAGINGS = Number(process.env['FLEET_STAGINGS'] ?? 12)
const LEASE_MS = 3_000
const DEADLINE_MS = 60_000 + STAGINGS * 5_000

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

/** What goes wrong, one after the other, while stagings run. */
const FAULTS: readonly ((fleet: Fleet) => Promise<void>)[] = [
  // A node dies, and is back when others have gone on with what it ran.
  async ({ nodes }) => {
    await nodes[1]!.daemon.kill()
    await delay(1.5 * LEASE_MS)
    await nodes[1]!.daemon.restart()
  },
  async ({ database }) => {
    await database.kill()
    await delay(1_000)
    await database.resume()
  },
  async ({ blobs }) => {
    await blobs.kill()
    await delay(1_000)
    await blobs.start()
  },
  // A node stands still for longer than its lease lasts, and then goes on as if nothing had happened.
  async ({ nodes }) => {
    process.kill(nodes[0]!.daemon.pid, 'SIGSTOP')
    await delay(1.5 * LEASE_MS)
    process.kill(nodes[0]!.daemon.pid, 'SIGCONT')
  },
  // A node is cut off for longer than that.
  async ({ nodes }) => {
    const { toDatabase, toBlobs } = nodes[2]!
    toDatabase.cut()
    toBlobs.cut()
    await delay(2 * LEASE_MS)
    toDatabase.mend()
    toBlobs.mend()
  },
]

let fleet: Fleet
const node = (n: number): PrivateDaemon => fleet.nodes[n % fleet.nodes.length]!.daemon
const packageUrl = (n: number) => `/v1/packages/${encodeURIComponent(`package::/::app-${n}`)}`

beforeAll(async () => {
  fleet = await Fleet.start({
    flags: ['--concurrency', '3', '--node-lease', `${LEASE_MS}ms`],
    // The clock of the last one is wrong.
    aheadSeconds: [0, 0, 120],
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

it(`${STAGINGS} stagings at three nodes, while nodes and servers die, stand still and are cut off: each ends once, by its owner, and can be read`, async () => {
  const connection = fleet.database.connection()
  const disaster = (async () => {
    for (const fault of FAULTS) {
      await delay(1_000)
      await fault(fleet)
    }
  })()
  const submission = (async () => {
    const uuids: string[] = []
    for (let n = 0; n < STAGINGS; n++) {
      uuids.push(await submit(n))
      // Some are always running, from the first fault to the last.
      await delay((9 * LEASE_MS) / STAGINGS)
    }
    return uuids
  })()
  await settleAll([disaster, submission])
  const acknowledged = await submission
  await until(
    'all stagings have ended',
    async () => [...endings(await recorded(connection)).values()].every((state) => state !== undefined),
    DEADLINE_MS,
  )

  const changes = await recorded(connection)
  figures.check('loss', 'verdicts of a fleet', violations(changes))
  expect(violations(changes)).toEqual([])
  expect(takenOver(changes).size, 'stagings that went on at another node').toBeGreaterThan(0)
  const ended = endings(changes)
  expect([...ended.keys()].sort()).toEqual([...acknowledged].sort())
  const stagings = await Promise.all(acknowledged.map((uuid) => node(0).ask<Staging>('GET', `/v1/stagings/${uuid}`)))
  expect(stagings.map(({ state, failure }) => failure?.message ?? state)).toEqual(acknowledged.map(() => 'succeeded'))
  for (let n = 0; n < STAGINGS; n++)
    for (const { daemon } of fleet.nodes) {
      const { resource, state } = await daemon.ask<Package>('GET', packageUrl(n))
      const data = await daemon.download(packageUrl(n))
      const digest = `sha256:${createHash('sha256').update(data).digest('hex')}`
      expect({ state, digest }).toEqual({ state: 'ready', digest: resource?.digest })
    }
})

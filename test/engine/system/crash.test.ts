import { randomUUID } from 'node:crypto'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { NodeStatus } from '../../../daemon/documents/node.js'
import { INTERRUPTION_LIMIT } from '../../../daemon/model/staging.js'
import { connectEngine } from '../../../isolation/engine/connect.js'
import { launchLabels, launchName } from '../../../isolation/host/ownership.js'
import { figures } from '../../hostile/support/promises.js'
import { WatchedDisk } from '../../support/disk/watched-disk.js'
import { LAUNCH_POINTS } from '../../support/durability/crash-points.js'
import { BUILT, SocketClient } from '../../support/durability/engineless-daemon.js'
import { expectDurable } from '../../support/durability/node-under-test.js'
import type { Acknowledged } from '../../support/durability/workload.js'
import { expectNothingLeft, leftovers, removeImages } from '../support/leftovers.js'
import { settle } from '../support/many-stagings.js'
import { CHECKOUT, CREATED_AHEAD, PrivateDaemon, until } from '../support/private-daemon.js'
import { recipeTarball, stagerTarball, tarballOf } from '../support/tarballs.js'

const BUILD = `#!/bin/sh
set -e
wget -q -O /tmp/data.tar.gz "$STAGER_URL/data"
mkdir /tmp/work && cd /tmp/work && tar xzf /tmp/data.tar.gz
echo "built from $(cat index.html)" > /${BUILT}
echo building
sleep 0.3
wget -q -O - --post-data='' "$STAGER_URL/snapshot?directory=/app"
echo
wget -q -O - --post-data='' "$STAGER_URL/done"
echo verdict
sleep 0.3
`

/** Its log is on it: so the daemon can be killed exactly when it writes a certain line. */
let disk: WatchedDisk
let daemon: PrivateDaemon
let client: SocketClient
const acknowledged: Acknowledged[] = []

beforeAll(async () => {
  disk = await WatchedDisk.open()
  daemon = await PrivateDaemon.start(CREATED_AHEAD, {}, { logDirectory: disk.path })
  client = new SocketClient(daemon.socket)
  await daemon.addPackage(await recipeTarball('busybox'), 'busybox', { provides: 'os.linux' })
  const program = await stagerTarball(path.join(daemon.directory, 'program.tar.gz'), { build: BUILD })
  await daemon.addPackage(program, 'program', { dependencies: 'os.linux' })
  await daemon.addStager({ name: 'build', package: 'package::/::program', start_command: './build' })
})

afterAll(async () => {
  await client.close()
  await daemon.stop()
  await expectNothingLeft(daemon)
  await removeImages(daemon)
  await daemon.close()
  await disk.close()
})

/** Has a new package staged. @returns the UUID of the staging */
async function submit(name: string, pipeline = 'build'): Promise<string> {
  const file = path.join(daemon.directory, `${name}.tar.gz`)
  const more = { state: 'uploaded', dependencies: 'os.linux' } as const
  const { uuid: subject } = await daemon.addPackage(await tarballOf(file, { 'index.html': 'hello' }), name, more)
  acknowledged.push({ what: 'package', uuid: subject, marks: [''] })
  const { uuid, state } = await daemon.submit(name, pipeline)
  acknowledged.push({ what: 'staging', uuid, state })
  return uuid
}

/** Of a daemon during one staging, after the one when it is queued: more may not interrupt it. */
const KILLS = INTERRUPTION_LIMIT - 1

const killAtStep = (pid: number, step: string) =>
  disk.plan({ point: 'write log', text: `"step":"${step}"`, nth: 1, then: { kill: pid, when: 'after' } })

const says = (uuid: string, word: string) =>
  until(`it says ${word}`, async () => (await daemon.text(uuid, { follow: false })).includes(word))

/** What the last kill has left on the host. The sweep at the next start removes it. */
let left: readonly string[] = []

/** To be called after a kill, when a daemon had been started in between that has swept the host. */
async function expectSwept(what: string): Promise<void> {
  const now = await leftovers(daemon)
  figures.check(
    'leftover',
    `the launch before, killed ${what}`,
    left.filter((one) => now.includes(one)),
  )
  left = now
}

/** The result is the same although the daemon was killed, and each staging has ended once. */
async function expectResult(uuid: string, what: string): Promise<void> {
  const { state, failure } = await daemon.ended(uuid)
  acknowledged.push({ what: 'staging', uuid, state })
  figures.check('loss', `the result of ${what}`, state === 'succeeded' ? [] : [failure?.message ?? state])
  await expectDurable(what, { client, stateDir: daemon.stateDirectory }, acknowledged)
}

it('kill -9 when a staging is queued, at each step of its launch, in the stager and at its end: it resumes each time', async () => {
  const steps = Object.keys(LAUNCH_POINTS).filter((one) => one !== 'undo')
  for (let at = 0; at < steps.length; at += KILLS) {
    const uuid = await submit(`site-${at}`)
    await daemon.kill()
    for (const step of steps.slice(at, at + KILLS)) {
      killAtStep(daemon.spawn(), step)
      await daemon.gone()
      expect(disk.report.happened, step).toBe('write log')
      await expectSwept(`at the step "${step}"`)
    }
    disk.plan()
    await daemon.restart()
    await expectResult(uuid, 'a staging that is killed at each step')
  }
  const uuid = await submit('site')
  for (const word of ['building', 'verdict']) {
    await says(uuid, word)
    await daemon.kill()
    await expectSwept(`after the stager has said "${word}"`)
    await daemon.restart()
  }
  await expectResult(uuid, 'a staging whose stager is killed')
  killAtStep(daemon.pid, 'undo')
  const last = await submit('last')
  await daemon.gone()
  await daemon.restart()
  await expectResult(last, 'a staging that is killed when its container is removed')
  await settle(daemon, () => leftovers(daemon))
})

it('kill -9 while containers wait for the next stager, for a relaunch and for a queued staging: all are swept', async () => {
  disk.plan()
  // With --concurrency 1, the second staging waits for the first.
  await daemon.stop()
  await daemon.restart(['--prepared', '4', '--concurrency', '1'])
  const stagers = [
    await daemon.addStager({ name: 'slow', package: 'package::/::program', start_command: 'sleep 600; ./build' }),
    await daemon.addStager({ name: 'quick', package: 'package::/::program', start_command: ': ; ./build' }),
    await daemon.addStager({ name: 'queued', package: 'package::/::program', start_command: ':; ./build' }),
  ]
  const [slow, quick] = stagers.map(({ uuid }) => uuid)
  await daemon.ask('POST', '/v1/stagingpipelines', { namespace: '/', name: 'both', stagers: [slow, quick] })
  const running = await submit('running', 'both')
  const queued = await submit('queued', 'queued')
  await until('three of them wait', async () => (await daemon.ask<NodeStatus>('GET', '/v1/node')).prepared! >= 3)
  await daemon.kill()
  left = await leftovers(daemon)
  expect(left.filter((one) => one.startsWith('container')).length, left.join('\n')).toBeGreaterThanOrEqual(4)
  await daemon.restart()
  await daemon.ask('POST', `/v1/stagings/${running}/cancel`)
  await expectResult(queued, 'a staging for which a container waits')
  await expectSwept('while containers wait')
  await daemon.stop()
  await expectNothingLeft(daemon)
  await daemon.restart(CREATED_AHEAD)
})

it('SIGTERM ends the launches, and removes what the Engine has made since: the staging resumes at the next start', async () => {
  disk.plan()
  const before = (await daemon.log()).length
  const uuid = await submit('stopped')
  await until('it builds', async () => (await daemon.log()).slice(before).includes('"step":"mounts"'))
  const launch = randomUUID()
  const owner = { nodeId: await daemon.nodeId(), installDirectory: CHECKOUT }
  await connectEngine().createNetwork({ Name: launchName(launch), Labels: launchLabels(owner, launch) })
  await daemon.stop()
  await expectNothingLeft(daemon)
  await daemon.restart()
  await expectResult(uuid, 'a staging that was stopped')
  await settle(daemon, () => leftovers(daemon))
})

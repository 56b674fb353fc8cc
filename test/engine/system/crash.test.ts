import { randomUUID } from 'node:crypto'
import path from 'node:path'
import { execa } from 'execa'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Staging } from '../../../daemon/documents/staging.js'
import { connectEngine } from '../../../isolation/engine/connect.js'
import { launchLabels, launchName } from '../../../isolation/host/ownership.js'
import { figures } from '../../hostile/support/promises.js'
import { expectNothingLeft, leftovers, removeImages } from '../support/leftovers.js'
import { CHECKOUT, CREATED_AHEAD, PrivateDaemon, until } from '../support/private-daemon.js'
import { recipeTarball, stagerTarball, tarballOf } from '../support/tarballs.js'

const BUILD = `#!/bin/sh
set -e
wget -q -O /tmp/data.tar.gz "$STAGER_URL/data"
mkdir /tmp/work && cd /tmp/work && tar xzf /tmp/data.tar.gz
echo "built from $(cat index.html)" > built
echo building
sleep 0.3
mkdir -p /app/result && cp built /app/result/
wget -q -O - --post-data='' "$STAGER_URL/snapshot?directory=/app/result"
echo
wget -q -O - --post-data='' "$STAGER_URL/done"
echo verdict
sleep 0.3
`

let daemon: PrivateDaemon
let tests = 0
/** The package and the pipeline of a test. */
let site: string
let pipeline: string
/** The length of the log of the daemon at the beginning of a test. */
let logged: number

beforeAll(async () => {
  daemon = await PrivateDaemon.start(CREATED_AHEAD)
  await daemon.addPackage(await recipeTarball('busybox'), 'busybox', { provides: 'os.linux' })
})

afterAll(async () => {
  await daemon.stop()
  await expectNothingLeft(daemon)
  await removeImages(daemon)
  await daemon.close()
})

// Each test has a root that no launch had before, so that every step has something to do.
beforeEach(async () => {
  const file = (name: string) => path.join(daemon.directory, `${name}.tar.gz`)
  ;[site, pipeline] = [`site-${++tests}`, `build-${tests}`]
  logged = (await daemon.log()).length
  const program = await stagerTarball(file(pipeline), { build: BUILD, test: String(tests) })
  await daemon.addPackage(program, `${pipeline}-program`, { dependencies: 'os.linux' })
  const stager = { name: pipeline, package: `package::/::${pipeline}-program`, start_command: './build' }
  await daemon.addStager(stager)
  await daemon.addPackage(await tarballOf(file(site), { 'index.html': 'hello' }), site, {
    state: 'uploaded',
    dependencies: 'os.linux',
  })
})

afterEach(async () => {
  // A later sweep removes what the Engine has created after the first one.
  await until('nothing is left', async () => {
    // Containers that wait for a launch are released by it.
    await daemon.ask('POST', '/v1/node/gc', { dry_run: true })
    return (await leftovers(daemon)).length === 0
  })
})

const logOfTest = async () => (await daemon.log()).slice(logged)

/** The visible result, which must be the same however often the daemon was killed. */
async function expectResult(staging: Staging): Promise<void> {
  const ended = await daemon.ended(staging.uuid)
  const how = ended.failure?.message ?? ended.state
  figures.check('loss', `the staging of ${site}`, how === 'succeeded' ? [] : [how])
  const url = `/v1/packages/${encodeURIComponent(`package::/::${site}`)}`
  const data = await daemon.download(url)
  const { stdout } = await execa('tar', ['-xzOf', '-', 'app/result/built'], { input: data })
  figures.check(
    'loss',
    `the result of ${site}`,
    stdout === 'built from hello' ? [] : [`it is ${JSON.stringify(stdout)}`],
  )
  expect(await daemon.ask('GET', url)).toMatchObject({ state: 'ready' })
}

const steps = ['layers', 'image', 'network', 'listener', 'firewall', 'stagerfs', 'create', 'start', 'mounts']

describe('kill -9 of the daemon', () => {
  it.each(steps)('after the step "%s" of a launch: the staging resumes, and nothing is left', async (step) => {
    const staging = await daemon.submit(site, pipeline)
    await until(`step ${step} is over`, async () => (await logOfTest()).includes(`"step":"${step}"`))
    await daemon.kill()
    await daemon.restart()
    await expectResult(staging)
  })

  it.each(['building', 'verdict'])('after the stager has printed "%s"', async (word) => {
    const staging = await daemon.submit(site, pipeline)
    await until(`it says ${word}`, async () => (await daemon.text(staging.uuid, { follow: false })).includes(word))
    await daemon.kill()
    await daemon.restart()
    await expectResult(staging)
  })

  it('while the staging is queued, and again while it runs after the restart', async () => {
    const staging = await daemon.submit(site, pipeline)
    await daemon.kill()
    await daemon.restart()
    await until('it is launched', async () => (await logOfTest()).includes('"step":"start"'))
    await daemon.kill()
    await daemon.restart()
    await expectResult(staging)
  })

  it('while the Engine creates an object: a later sweep removes what the first one misses', async () => {
    await daemon.kill()
    await daemon.restart()
    await until('the host has been swept', async () => (await daemon.call('GET', '/readyz')).status === 200)
    const launch = randomUUID()
    const owner = { nodeId: await daemon.nodeId(), installDirectory: CHECKOUT }
    await connectEngine().createNetwork({ Name: launchName(launch), Labels: launchLabels(owner, launch) })
    await daemon.stop()
    await expectNothingLeft(daemon)
    await daemon.restart()
  })
})

describe('SIGTERM', () => {
  it('ends the launches, and the staging resumes at the next start', async () => {
    const staging = await daemon.submit(site, pipeline)
    await until('it builds', async () => (await logOfTest()).includes('"step":"mounts"'))
    await daemon.stop()
    await expectNothingLeft(daemon)
    await daemon.restart()
    await expectResult(staging)
  })
})

import { randomUUID } from 'node:crypto'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Staging } from '../../../daemon/documents/staging.js'
import { connectEngine } from '../../../isolation/engine/connect.js'
import { launchLabels, launchName } from '../../../isolation/host/ownership.js'
import { leftovers, removeImages } from '../support/leftovers.js'
import { CHECKOUT, PrivateDaemon, until } from '../support/private-daemon.js'
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

beforeEach(async () => {
  daemon = await PrivateDaemon.start()
  const file = (name: string) => path.join(daemon.directory, name)
  await daemon.addPackage(await recipeTarball('busybox'), 'busybox', { provides: 'os.linux' })
  await daemon.addPackage(await stagerTarball(file('build.tar.gz'), { build: BUILD }), 'build-program', {
    dependencies: 'os.linux',
  })
  await daemon.addStager({ name: 'build', package: 'package::/::build-program', start_command: './build' })
  await daemon.addPackage(await tarballOf(file('site.tar.gz'), { 'index.html': 'hello' }), 'site', {
    state: 'uploaded',
    dependencies: 'os.linux',
  })
})

afterEach(async () => {
  await daemon.stop()
  expect(await leftovers(daemon)).toEqual([])
  await removeImages(daemon)
  await daemon.close()
})

/** The visible result, which must be the same however often the daemon was killed. */
async function expectResult(staging: Staging): Promise<void> {
  const ended = await daemon.ended(staging.uuid)
  expect(ended.failure).toBeUndefined()
  expect(ended.state).toBe('succeeded')
  const file = path.join(daemon.directory, 'result.tar.gz')
  const { exitCode, stderr } = await daemon.stagectl('package', 'download', 'site', '-f', file)
  expect(exitCode, stderr).toBe(0)
  const { stdout } = await (await import('execa')).execa('tar', ['-xzOf', file, 'app/result/built'])
  expect(stdout).toBe('built from hello')
  expect(await daemon.ask('GET', `/v1/packages/${encodeURIComponent('package::/::site')}`)).toMatchObject({
    state: 'ready',
  })
}

const steps = ['layers', 'image', 'network', 'listener', 'firewall', 'stagerfs', 'create', 'start', 'mounts']

describe('kill -9 of the daemon', () => {
  it.each(steps)('after the step "%s" of a launch: the staging resumes, and nothing is left', async (step) => {
    const staging = await daemon.submit('site', 'build')
    await until(`step ${step} is over`, async () => (await daemon.log()).includes(`"step":"${step}"`))
    await daemon.kill()
    await daemon.restart()
    await expectResult(staging)
  })

  it.each(['building', 'verdict'])('after the stager has printed "%s"', async (word) => {
    const staging = await daemon.submit('site', 'build')
    await until(`it says ${word}`, async () => (await daemon.text(staging.uuid, { follow: false })).includes(word))
    await daemon.kill()
    await daemon.restart()
    await expectResult(staging)
  })

  it('while the staging is queued, and again while it runs after the restart', async () => {
    const staging = await daemon.submit('site', 'build')
    await daemon.kill()
    await daemon.restart()
    await until('it is launched', async () => (await daemon.log()).includes('"step":"start"'))
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
    expect(await leftovers(daemon)).toEqual([])
  })
})

describe('SIGTERM', () => {
  it('ends the launches, and the staging resumes at the next start', async () => {
    const staging = await daemon.submit('site', 'build')
    await until('it builds', async () => (await daemon.log()).includes('"step":"mounts"'))
    await daemon.stop()
    expect(await leftovers(daemon)).toEqual([])
    await daemon.restart()
    await expectResult(staging)
  })
})

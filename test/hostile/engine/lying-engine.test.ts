import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Staging } from '../../../daemon/documents/staging.js'
import { leftovers, removeImages } from '../../engine/support/leftovers.js'
import { ON_DISK } from '../../engine/support/on-disk.js'
import { PrivateDaemon } from '../../engine/support/private-daemon.js'
import { recipeTarball, stagerTarball, tarballOf } from '../../engine/support/tarballs.js'
import { Latencies } from '../support/latencies.js'
import { LyingProxy } from '../support/lying-proxy.js'
import { figures } from '../support/promises.js'
import { LYING_ENGINES } from './lies.js'

const engines = LYING_ENGINES.filter(({ always }) => always === true || process.env.LYING_ENGINES === 'all')

const STAGE = `#!/bin/sh
post() { wget -q -O - --post-data='' "$STAGER_URL/$1" || exit 1; }
mkdir -p /app/out && echo staged >/app/out/file
post 'snapshot?directory=/app/out'
post done
`

let directory: string
let proxy: LyingProxy
let daemon: PrivateDaemon
let resource: string
const ended: Staging[] = []
const latencies = { idle: new Latencies(), meanwhile: new Latencies() }
let healthz: Promise<void>
let goesOn = true

beforeAll(async () => {
  directory = await mkdtemp(path.join(ON_DISK, 'stagerd-lies-'))
  proxy = await LyingProxy.listen(path.join(directory, 'docker.sock'))
  daemon = await PrivateDaemon.start([], { DOCKER_HOST: `unix://${proxy.socket}` })
  await daemon.addPackage(await recipeTarball('busybox'), 'busybox', { provides: 'os.linux' })
  const program = await stagerTarball(path.join(directory, 'program.tar.gz'), { stage: STAGE })
  await daemon.addPackage(program, 'program', { dependencies: 'os.linux' })
  const stager = { package: 'package::/::program', start_command: './stage' }
  await daemon.addStager({ ...stager, name: 'stage' })
  await daemon.addStager({ ...stager, name: 'stage-out', allow_egress: true })
  const app = await tarballOf(path.join(directory, 'app.tar.gz'), { 'index.html': 'hello' })
  resource = (await daemon.upload(app)).sha256
  await staged('honest')
  const ask = async (which: Latencies) =>
    expect((await which.of(() => daemon.call('GET', '/healthz'))).status).toBe(200)
  for (let n = 0; n < 20; n++) await ask(latencies.idle)
  healthz = (async () => {
    while (goesOn) {
      await ask(latencies.meanwhile)
      await delay(20)
    }
  })()
})
afterAll(async () => {
  proxy.close()
  await removeImages(daemon)
  await daemon.close()
  await rm(directory, { recursive: true })
})

async function staged(name: string, pipeline = 'stage'): Promise<Staging> {
  await daemon.ask('POST', '/v1/packages', { namespace: '/', name, resource, state: 'uploaded' })
  const { uuid } = await daemon.submit(name, pipeline, { reuse: false })
  const staging = await daemon.ended(uuid)
  ended.push(staging)
  return staging
}

/** What a lie about processes could have had done to the host. */
const mountsOfHost = () =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => / \/(stagerfs|run\/secrets)/.test(line))

it.each(engines)('an Engine that $lie', async (lying) => {
  const { lie, must } = lying
  proxy.tell(lying)
  const name = `app-${lie.replaceAll(/[^a-z]+/g, '-')}`
  const { state, failure, launches } = await staged(name, lying.egress ? 'stage-out' : 'stage')
  // A network is removed after the end of the staging.
  await expect.poll(() => proxy.told).toBeGreaterThan(0)
  proxy.tell(undefined)
  expect([state, launches.map((launch) => launch.state), failure?.cause], failure?.message).toEqual([
    must.cause === undefined ? 'succeeded' : 'failed',
    must.launches,
    must.cause,
  ])
  figures.check('escape', `an Engine that ${lie}`, mountsOfHost())
})

it('does not keep /healthz waiting', async () => {
  goesOn = false
  await healthz
  const { idle, meanwhile } = latencies
  console.log(`/healthz beside a real Engine that lies: idle ${idle.text}, meanwhile ${meanwhile.text}`)
  expect(meanwhile.median).toBeLessThan(Math.max(50, 10 * idle.median))
})

it('has nothing lost, and nothing left, when it is honest again', async () => {
  goesOn = false
  await healthz
  await daemon.kill()
  await daemon.restart()
  for (const { uuid, state, failure } of ended) {
    const after = await daemon.ask<Staging>('GET', `/v1/stagings/${uuid}`)
    const same = after.state === state && after.failure?.cause === failure?.cause
    figures.check('loss', `staging ${uuid} on an Engine that lies`, same ? [] : [`${state} became ${after.state}`])
  }
  await daemon.stop()
  figures.check('leftover', 'stagings on an Engine that lies', await leftovers(daemon))
})

import path from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { expectNothingLeft, leftovers } from '../support/leftovers.js'
import { CREATED_AHEAD, PrivateDaemon, until } from '../support/private-daemon.js'
import { PrivateEngine } from '../support/private-engine.js'
import { recipeTarball, stagerTarball, tarballOf } from '../support/tarballs.js'

/** A stager that does not end before it is released, even if the Engine takes long to die. */
const PATIENT = `#!/bin/sh
echo working
[ -n "$GO" ] || sleep 600
wget -q -O - --post-data='' "$STAGER_URL/done"
`

/** A stager that gives up when a snapshot fails. */
const CAREFUL = `#!/bin/sh
post() { wget -q -O - --post-data='' "$STAGER_URL/$1"; }
while [ -z "$GO" ]; do
  post snapshot || { post failed; exit 1; }
  echo taken
done
post done
`

/** A stager that reports failure when it is told to end. */
const POLITE = `#!/bin/sh
post() { wget -q -O - --post-data='' "$STAGER_URL/$1"; }
trap 'post failed; exit 1' TERM
echo ready
[ -n "$GO" ] || { sleep 600 & wait; }
post done
`

const PROGRAMS = `/v1/packages/${encodeURIComponent('package::/::programs')}`

let engine: PrivateEngine
let daemon: PrivateDaemon

/** The length of the log of the daemon at the beginning of a test. */
let logged: number

// Each test ends with an Engine and a daemon that work: to start an Engine takes as long as a test.
beforeAll(async () => {
  engine = await PrivateEngine.start()
  daemon = await PrivateDaemon.start(['--bridge-pool', engine.addressPool, ...CREATED_AHEAD], engine.environment)
  const file = (name: string) => path.join(daemon.directory, name)
  await daemon.addPackage(await recipeTarball('busybox'), 'busybox', { provides: 'os.linux' })
  const programs = { patient: PATIENT, careful: CAREFUL, polite: POLITE }
  await daemon.addPackage(await stagerTarball(file('programs.tar.gz'), programs), 'programs', {
    dependencies: 'os.linux',
  })
  for (const name of Object.keys(programs))
    await daemon.addStager({ name, package: 'package::/::programs', start_command: `./${name}` })
  await daemon.addPackage(await tarballOf(file('site.tar.gz'), { 'index.html': 'hello' }), 'site', {
    state: 'uploaded',
  })
})

beforeEach(async () => {
  await daemon.ask('PATCH', PROGRAMS, { environment_unset: ['GO'] })
  logged = (await daemon.log()).length
})

afterEach(async () => {
  // After a failure: the tests after it must not wait for an Engine that nobody starts.
  if (!engine.isRunning) await engine.restart()
  await until('nothing is left', async () => {
    // Containers that wait for a launch are released by it.
    await daemon.ask('POST', '/v1/node/gc', { dry_run: true })
    return (await leftovers(daemon, engine.engine)).length === 0
  })
})

afterAll(async () => {
  await daemon.stop()
  await expectNothingLeft(daemon, engine.engine)
  await daemon.close()
  await engine.close()
})

const logOfTest = async () => (await daemon.log()).slice(logged)

/** Makes later launches end at once. */
async function unblockStagers(): Promise<void> {
  await daemon.ask('PATCH', PROGRAMS, { environment_set: { GO: 'yes' } })
}

it('SIGKILL of the Engine during a launch: the stager is launched again, and nothing is left', async () => {
  const { uuid } = await daemon.submit('site', 'patient', { reuse: false })
  await until('the stager works', async () => (await logOfTest()).includes('"step":"mounts"'))
  await engine.kill()
  await until('the daemon has noticed', async () => (await logOfTest()).includes('waiting for the Docker Engine'))
  expect(await daemon.ask('GET', '/v1/node')).toMatchObject({ engine: { answers: false } })
  await unblockStagers()
  await engine.restart()
  const staging = await daemon.ended(uuid)
  expect(staging.failure).toBeUndefined()
  expect(staging.launches.map(({ state }) => state)).toEqual(['aborted', 'done'])
})

it('SIGKILL of the Engine while a stager takes snapshots: it is launched again, whatever it makes of the error', async () => {
  const { uuid } = await daemon.submit('site', 'careful', { reuse: false })
  await until('the stager works', async () => (await daemon.stagectl('staging', 'logs', uuid)).stdout.includes('taken'))
  await engine.kill()
  await until('the daemon has noticed', async () => (await logOfTest()).includes('waiting for the Docker Engine'))
  await unblockStagers()
  await engine.restart()
  const staging = await daemon.ended(uuid)
  expect(staging.failure).toBeUndefined()
  expect(staging.launches.map(({ state }) => state)).toEqual(['aborted', 'done'])
})

it('a stop of the Engine, which ends its containers: the stager is launched again, whatever its last words', async () => {
  const { uuid } = await daemon.submit('site', 'polite', { reuse: false })
  await until('the stager works', async () => (await daemon.stagectl('staging', 'logs', uuid)).stdout.includes('ready'))
  await engine.stop()
  await until('the daemon has noticed', async () => (await logOfTest()).includes('waiting for the Docker Engine'))
  await unblockStagers()
  await engine.restart()
  const staging = await daemon.ended(uuid)
  expect(staging.failure).toBeUndefined()
  expect(staging.launches.map(({ state }) => state)).toEqual(['aborted', 'done'])
})

it('SIGKILL of both: the staging resumes after both have restarted', async () => {
  const { uuid } = await daemon.submit('site', 'patient', { reuse: false })
  await until('the stager works', async () => (await logOfTest()).includes('"step":"mounts"'))
  await engine.kill()
  await daemon.kill()
  await daemon.restart()
  await unblockStagers()
  expect((await daemon.call('GET', '/readyz')).status).toBe(503)
  await engine.restart()
  expect((await daemon.ended(uuid)).state).toBe('succeeded')
})

it('an Engine that is down: the daemon keeps running, reports it, and stages when the Engine is back', async () => {
  await unblockStagers()
  await engine.kill()
  const doctor = await daemon.stagectl('node', 'doctor')
  expect(doctor.stdout + doctor.stderr).toMatch(/Engine/)
  const { uuid } = await daemon.submit('site', 'patient', { reuse: false })
  await until('it waits for the Engine', async () => (await logOfTest()).includes('waiting for the Docker Engine'))
  await engine.restart()
  expect((await daemon.ended(uuid)).state).toBe('succeeded')
})

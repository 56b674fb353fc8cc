import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Package } from '../../../daemon/documents/package.js'
import type { Staging } from '../../../daemon/documents/staging.js'
import { expectNothingLeft, removeImages } from '../support/leftovers.js'
import { PrivateDaemon, until } from '../support/private-daemon.js'
import { recipeTarball, stagerTarball, tarballOf } from '../support/tarballs.js'

let here: PrivateDaemon
let there: PrivateDaemon
let backup: string

beforeAll(async () => {
  ;[here, there] = await Promise.all([PrivateDaemon.start(['--concurrency', '2']), PrivateDaemon.start()])
  backup = path.join(here.directory, 'node.tar')
  await here.addPackage(await recipeTarball('busybox'), 'busybox', { provides: 'os.linux' })
  const program = await stagerTarball(path.join(here.directory, 'slow.tar.gz'), {
    slow: `#!/bin/sh
set -e
echo begun
mkdir -p /app && date +%s%N > /app/made
wget -q -O - --post-data="" "$STAGER_URL/snapshot?directory=/app"
sleep 4
wget -q -O - --post-data="" "$STAGER_URL/done"
`,
  })
  await here.addPackage(program, 'slow-program', { dependencies: 'os.linux' })
  await here.addStager({ name: 'slow', package: 'package::/::slow-program', start_command: './slow' })
})

afterAll(async () => {
  for (const daemon of [here, there]) {
    await daemon.stop()
    await expectNothingLeft(daemon)
    await removeImages(daemon)
    await daemon.close()
  }
})

const addSite = async (name: string) => {
  const tarball = path.join(here.directory, `${name}.tar.gz`)
  await tarballOf(tarball, { 'index.html': randomBytes(200_000) })
  await here.addPackage(tarball, name, { state: 'uploaded', dependencies: 'os.linux' })
}

const packagesOf = (daemon: PrivateDaemon) => daemon.ask<Package[]>('GET', '/v1/packages')
const stagingsOf = (daemon: PrivateDaemon) => daemon.ask<Staging[]>('GET', '/v1/stagings')

it('a backup that is taken while stagings run has everything that was acknowledged, and they continue elsewhere', async () => {
  await addSite('staged')
  await here.ended((await here.submit('staged', 'slow')).uuid)
  for (const name of ['one', 'two', 'three']) await addSite(name)
  const open = [await here.submit('one', 'slow'), await here.submit('two', 'slow'), await here.submit('three', 'slow')]
  await until('a staging is at work', async () => (await here.text(open[0]!.uuid, { follow: false })).includes('begun'))
  const [packages, stagings] = [await packagesOf(here), await stagingsOf(here)]
  const data = new Map<string, Buffer>()
  for (const { uuid } of packages) data.set(uuid, await here.download(`/v1/packages/${uuid}`))

  // Requests go on meanwhile.
  const done = new AbortController()
  const working = (async () => {
    for (let n = 0; !done.signal.aborted; n++) await addSite(`later-${n}`)
  })()
  const made = await here.stagectl('node', 'backup', backup).finally(() => done.abort())
  await working
  expect([made.exitCode, made.stderr]).toEqual([0, ''])
  expect((await here.ask<Staging>('GET', `/v1/stagings/${open[2]!.uuid}`)).state).toBe('queued')

  const restored = await there.stagectl('node', 'restore', backup)
  expect([restored.exitCode, restored.stderr]).toEqual([0, ''])
  expect(restored.stdout).toContain('3 of the stagings had not ended, and continue.')
  for (const one of packages) {
    expect(await there.ask('GET', `/v1/packages/${one.uuid}`)).toMatchObject({ fqn: one.fqn, provides: one.provides })
    // What is staged keeps its data until the verdict.
    expect((await there.download(`/v1/packages/${one.uuid}`)).equals(data.get(one.uuid)!), one.fqn).toBe(true)
  }
  expect((await stagingsOf(there)).map(({ uuid }) => uuid)).toEqual(stagings.map(({ uuid }) => uuid))
  for (const { uuid } of open) expect((await there.ended(uuid)).state, await there.text(uuid)).toBe('succeeded')
  // The log goes on where it was cut.
  expect(await there.text(open[0]!.uuid)).toMatch(/begun[^]*begun/)
  for (const { uuid } of open) expect((await here.ended(uuid)).state).toBe('succeeded')
}, 180_000)

it('a restore outlives kill -9, and nothing is restored from a damaged file', async () => {
  await there.kill()
  await there.restart()
  expect((await packagesOf(there)).map(({ fqn }) => fqn)).toContain('package::/::staged')
  const state = async () => {
    // Others change: what launches have left is being removed.
    const directories = ['blobs', 'logs', 'bootstraps', 'imports'].map((name) => path.join(there.stateDirectory, name))
    const found = await Promise.all(
      directories.filter(existsSync).map((one) => readdir(one, { recursive: true, withFileTypes: true })),
    )
    const files = found.flat().filter((one) => one.isFile())
    return files.map((one) => path.join(one.parentPath, one.name)).sort()
  }
  const before = await state()

  const content = await readFile(backup)
  await truncate(backup, content.length - 5000)
  const short = await there.stagectl('node', 'restore', backup, '--replace')
  expect([short.exitCode, short.stderr]).toEqual([4, expect.stringContaining('The backup was cut short')])
  content[Math.floor(content.length / 2)]! ^= 0xff
  await writeFile(backup, content)
  const damaged = await there.stagectl('node', 'restore', backup, '--replace')
  expect([damaged.exitCode, damaged.stderr]).toEqual([4, expect.stringContaining('The backup is damaged at')])
  expect(await state()).toEqual(before)
  expect((await there.stagectl('node', 'restore', backup)).stderr).toContain('give this up with --replace')
}, 60_000)

it('the metrics of a daemon say what its stagings did', async () => {
  const { text } = await here.call('GET', '/metrics')
  expect(text).toMatch(/^stagerd_stagings_ended_total\{state="succeeded",cause="none",pipeline="other"\} 4$/m)
  expect(text).toMatch(/^stagerd_staging_duration_seconds_count\{pipeline="other"\} 4$/m)
  for (const step of ['layers', 'network', 'start', 'listener'])
    expect(text).toMatch(new RegExp(`^stagerd_launch_step_duration_seconds_count\\{step="${step}"\\} [1-9]`, 'm'))
  expect(text).toMatch(/^stagerd_ready 1$/m)
  expect(text).toMatch(/^stagerd_engine_up 1$/m)
  for (const kind of ['blob', 'layer', 'image'])
    expect(text).toMatch(new RegExp(`^stagerd_held_bytes\\{kind="${kind}"\\} [1-9]`, 'm'))
  // `there` went on with stagings of another node.
  expect((await there.call('GET', '/metrics')).text).toMatch(/^stagerd_stagings\{state="running"\} 0$/m)
})

it('the doctor looks at the host, too', async () => {
  const { stdout } = await here.stagectl('node', 'doctor')
  expect(stdout).toMatch(/disk: .* GiB are free for the state directory/)
  expect(stdout).toMatch(/good {2}state directory: only root can write/)
})

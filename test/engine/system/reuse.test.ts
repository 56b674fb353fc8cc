import { mkdir, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Package } from '../../../daemon/documents/package.js'
import type { Result, ResultDiff } from '../../../daemon/documents/result.js'
import type { Staging } from '../../../daemon/documents/staging.js'
import { expectNothingLeft, removeImages } from '../support/leftovers.js'
import { PrivateDaemon } from '../support/private-daemon.js'
import { recipeTarball, stagerTarball, tarballOf } from '../support/tarballs.js'

let daemon: PrivateDaemon
let site: string

beforeAll(async () => {
  daemon = await PrivateDaemon.start()
  const file = (name: string) => path.join(daemon.directory, name)
  await daemon.addPackage(await recipeTarball('busybox'), 'busybox', { provides: 'os.linux' })
  const tool = await tarballOf(file('tool.tar.gz'), { 'opt/tool/version': '1' })
  await daemon.addPackage(tool, 'tool', { provides: 'runtime.tool' })
  // Every run of it makes another result, so that an answer from before can be told.
  const program = await stagerTarball(file('program.tar.gz'), {
    build: `#!/bin/sh
set -e
mkdir /tmp/made
head -c 16 /dev/urandom > /tmp/made/random
cp /stagerfs/opt/tool/version /tmp/made/version
wget -q -O - --post-data="" "$STAGER_URL/snapshot?dir=/tmp/made"
wget -q -O - --post-data="" "$STAGER_URL/done"
`,
  })
  await daemon.addPackage(program, 'program', { dependencies: 'os.linux' })
  await daemon.addStager({ name: 'build', package: 'package::/::program', start_command: './build' })
  site = file('site')
  await mkdir(site)
  await writePage('one')
})

afterAll(async () => {
  await daemon.stop()
  await expectNothingLeft(daemon)
  await removeImages(daemon)
  await daemon.close()
})

/** The time of a file is a part of the source. */
async function writePage(text: string): Promise<void> {
  const page = path.join(site, 'index.html')
  await writeFile(page, text)
  await utimes(page, 1, 1)
}

async function stagectl(...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await daemon.stagectl(...args)
  expect(exitCode, `${args.join(' ')}: ${stderr}`).toBe(0)
  return stdout
}

const stage = async (...options: string[]) =>
  JSON.parse(
    await stagectl('stage', site, '--pipeline', 'build', '--depends-on', 'runtime.tool', '--json', ...options),
  ) as Staging
const digest = async () => (JSON.parse(await stagectl('package', 'show', 'site', '--json')) as Package).resource?.digest

it('a staging with nothing changed is answered from the earlier one, until something has changed', async () => {
  const first = await stage()
  const made = await digest()
  const again = await stage()
  expect(again).toMatchObject({ state: 'succeeded', reused: first.uuid, launches: [] })
  expect(await digest()).toBe(made)
  expect(await daemon.text(again.uuid)).toContain(
    `Reused the result of staging ${first.uuid}: nothing that it was made from has changed.`,
  )

  const forced = await stage('--no-reuse')
  expect(forced.launches).toHaveLength(1)
  expect(await digest()).not.toBe(made)

  await writePage('two')
  expect((await stage()).reused).toBeUndefined()
  await writePage('one')
  expect((await stage()).reused, 'the newest result of that source').toBe(forced.uuid)

  const tool = await daemon.upload(
    await tarballOf(path.join(daemon.directory, 'new.tar.gz'), { 'opt/tool/version': '2' }),
  )
  await daemon.ask('PUT', '/v1/packages/package::%2F::tool/resource', { resource: tool.sha256, state: 'ready' })
  const retried = JSON.parse(await stagectl('staging', 'retry', first.uuid, '--json')) as Staging
  expect(retried, 'on a newer runtime').toMatchObject({ state: 'succeeded', launches: [{ state: 'done' }] })
})

it('a staging of which only the last stager has changed begins with it, on the snapshot of the one before', async () => {
  const program = await stagerTarball(path.join(daemon.directory, 'label.tar.gz'), {
    label: `#!/bin/sh
set -e
mkdir /tmp/before
wget -q -O - "$STAGER_URL/data" | tar -xz -C /tmp/before
mv /tmp/before/tmp/made /tmp/made
printf %s "$LABEL" > /tmp/made/label
wget -q -O - --post-data="" "$STAGER_URL/snapshot?dir=/tmp/made"
wget -q -O - --post-data="" "$STAGER_URL/done"
`,
  })
  await daemon.addPackage(program, 'label-program', { dependencies: 'os.linux' })
  const draft = { name: 'label', package: 'package::/::label-program', start_command: './label' }
  const { uuid: label } = await daemon.addStager(draft)
  const { uuid: build } = await daemon.ask<{ readonly uuid: string }>('GET', '/v1/stagers/job::%2F::build')
  await daemon.ask('POST', '/v1/stagingpipelines', { namespace: '/', name: 'both', stagers: [build, label] })
  const stageBoth = async () =>
    JSON.parse(
      await stagectl(
        'stage',
        site,
        '--name',
        'labelled',
        '--pipeline',
        'both',
        '--depends-on',
        'runtime.tool',
        '--json',
      ),
    ) as Staging

  const first = await stageBoth()
  expect(first.launches).toHaveLength(2)
  await daemon.ask('PATCH', '/v1/stagers/job::%2F::label', { environment_set: { LABEL: 'new' } })
  // A collection takes nothing that is kept, and the daemon may be another one.
  await stagectl('node', 'gc', '--older-than', '0', '--batch')
  await daemon.kill()
  await daemon.restart()
  const second = await stageBoth()
  expect(second.launches, await daemon.text(second.uuid)).toMatchObject([{ stager: 'job::/::label', state: 'done' }])
  expect(second.taken_over).toEqual({ staging: first.uuid, stagers: 1 })
  expect(await daemon.text(second.uuid)).toContain(`Reused what 'build' has made in staging ${first.uuid}`)
  expect(await stagectl('staging', 'show', second.uuid)).toContain(
    `what its first 1 stager(s) left in staging ${first.uuid}`,
  )
  const diff = JSON.parse(await stagectl('package', 'diff', 'labelled', '--json')) as ResultDiff
  expect(
    diff.changes.map(({ path: changed }) => changed),
    'the random file of build is the same',
  ).toEqual(['tmp/made/label'])
})

it('the results before are its history, which can be compared and restored', async () => {
  const results = JSON.parse(await stagectl('package', 'history', 'site', '--json')) as Result[]
  const [newest, before] = results
  expect(newest?.current).toBe(true)
  const diff = JSON.parse(await stagectl('package', 'diff', 'site', '--json')) as ResultDiff
  expect(diff).toMatchObject({ from: before?.number, added: 0, removed: 0, changed: 2 })
  expect(diff.changes.map(({ path }) => path)).toEqual(['tmp/made/random', 'tmp/made/version'])
  await stagectl('package', 'rollback', 'site')
  expect(await digest()).toBe(before?.resource.digest)
  // A collection has not taken its data.
  await stagectl('node', 'gc', '--older-than', '0', '--batch')
  await stagectl('package', 'rollback', 'site', String(newest?.number))
  await stagectl('package', 'download', 'site', '-f', path.join(daemon.directory, 'out.tar.gz'))
})

import { readFileSync, writeFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { DoctorReport, NodeStatus } from '../../../daemon/documents/node.js'
import type { Package } from '../../../daemon/documents/package.js'
import type { Staging } from '../../../daemon/documents/staging.js'
import { expectNothingLeft, removeImages } from '../support/leftovers.js'
import { PrivateDaemon, until } from '../support/private-daemon.js'
import { recipeTarball, stagerTarball, tarballOf } from '../support/tarballs.js'

let daemon: PrivateDaemon
const file = (name: string) => path.join(daemon.directory, name)
const site = encodeURIComponent('package::/::site')

beforeAll(async () => {
  daemon = await PrivateDaemon.start(['--verify-period', '1s'])
})
afterAll(async () => {
  await daemon.stop()
  await expectNothingLeft(daemon)
  await removeImages(daemon)
  await daemon.close()
})

function flipBit(name: string, at: number): void {
  const content = readFileSync(name)
  content[at]! ^= 1
  writeFileSync(name, content)
}

const metric = async (line: string) => (await daemon.call('GET', '/metrics')).text.includes(line)
const logged = async (code: string) => (await daemon.log()).split('\n').filter((line) => line.includes(`"${code}"`))

it('a blob that nobody reads is found to be damaged, told everywhere and across a kill, and repaired by its upload', async () => {
  const tarball = await tarballOf(file('site.tar.gz'), { 'index.html': 'x'.repeat(100_000) })
  await daemon.addPackage(tarball, 'site', { state: 'uploaded' })
  const show = () => daemon.ask<Package>('GET', `/v1/packages/${site}`)
  const { resource } = await show()
  expect(resource).toMatchObject({ damaged: false })
  await until('it is verified again', async () => (await show()).resource!.verified_at! > resource!.verified_at!)

  const sha256 = resource!.digest.replace('sha256:', '')
  flipBit(path.join(daemon.stateDirectory, 'blobs/sha256', sha256.slice(0, 2), sha256), 50)
  await until('the damage is found', () => metric('stagerd_damaged_objects{kind="blob"} 1'))
  for (let again = 0; again < 2; again++) {
    expect((await show()).resource).toMatchObject({ damaged: true })
    expect(await daemon.ask<NodeStatus>('GET', '/v1/node')).toMatchObject({ verification: { damaged_blobs: 1 } })
    const { findings } = await daemon.ask<DoctorReport>('GET', '/v1/node/doctor')
    expect(findings).toContainEqual({
      subject: 'stored data',
      verdict: 'bad',
      message: expect.stringContaining('package::/::site') as string,
    })
    for (const url of [`/v1/packages/${site}/data`, `/v1/exchange?package=${site}`]) {
      const { status, text } = await daemon.call('GET', url)
      expect([status, (JSON.parse(text) as { code: string }).code]).toEqual([500, 'blob-corrupt'])
    }
    await daemon.kill()
    await daemon.restart()
    expect(await metric('stagerd_damaged_objects{kind="blob"} 1')).toBe(true)
  }
  await daemon.upload(tarball)
  expect(await metric('stagerd_damaged_objects{kind="blob"} 0')).toBe(true)
  expect((await daemon.call('GET', `/v1/packages/${site}/data`)).status).toBe(200)
  expect((await show()).resource).toMatchObject({ damaged: false })
})

it('a damaged layer is found, and the next staging gets another', async () => {
  await daemon.addPackage(await recipeTarball('busybox'), 'busybox', { provides: 'os.linux' })
  const word = 'right'.repeat(1000)
  const program = await stagerTarball(file('program.tar.gz'), {
    word,
    look: `#!/bin/sh
set -e
echo "the program is $(md5sum </app/word)"
wget -q -O - --post-data="" "$STAGER_URL/done"
`,
  })
  await daemon.addPackage(program, 'program', { dependencies: 'os.linux' })
  await daemon.addStager({ name: 'look', package: 'package::/::program', start_command: './look' })
  const stage = async () => {
    const request = { package: 'package::/::site', pipeline: 'stagpipe::/::look', reuse: false }
    const { uuid } = await daemon.ask<Staging>('POST', '/v1/stagings', request)
    await daemon.ended(uuid)
    return /the program is \S+/.exec(await daemon.text(uuid))?.[0]
  }
  const right = await stage()
  expect(right).toBeDefined()
  const layers = path.join(daemon.stateDirectory, 'layers')
  const found = (await readdir(layers, { recursive: true })).filter((name) => name.endsWith('tree/app/word'))
  expect(found).toHaveLength(1)
  flipBit(path.join(layers, found[0]!), 10)
  await until('the damage is found', () => metric('stagerd_damage_found_total{kind="layer"} 1'))
  await until('it is thrown away', () => metric('stagerd_damaged_objects{kind="layer"} 0'))
  expect(await logged('layer-damaged')).toHaveLength(1)
  expect(await stage()).toBe(right)
})

import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { GarbageReport } from '../../../daemon/documents/garbage.js'
import type { Package } from '../../../daemon/documents/package.js'
import type { Result } from '../../../daemon/documents/result.js'
import { connectEngine } from '../../../isolation/engine/connect.js'
import { expectNothingLeft, removeImages } from '../support/leftovers.js'
import { CREATED_AHEAD, PrivateDaemon, until } from '../support/private-daemon.js'
import { recipeTarball, stagerTarball, tarballOf } from '../support/tarballs.js'

const PACKAGES = 4
const ROUNDS = 2
const EVERYTHING = { older_than_ms: 0, keep_bytes: 0 }

let daemon: PrivateDaemon

beforeAll(async () => {
  daemon = await PrivateDaemon.start(['--concurrency', '3', '--upload-grace', '2s', ...CREATED_AHEAD])
  const file = (name: string) => path.join(daemon.directory, name)
  await daemon.addPackage(await recipeTarball('busybox'), 'busybox', { provides: 'os.linux' })
  // The stager posts its verdict some time after its snapshot, later than the grace period of an upload.
  const program = await stagerTarball(file('slow.tar.gz'), {
    slow: `#!/bin/sh
set -e
head -c 100000 /dev/urandom > /tmp/made
wget -q -O - --post-data="" "$STAGER_URL/snapshot"
sleep 3
wget -q -O - --post-data="" "$STAGER_URL/done"
`,
  })
  await daemon.addPackage(program, 'slow-program', { dependencies: 'os.linux' })
  await daemon.addStager({ name: 'slow', package: 'package::/::slow-program', start_command: './slow' })
})

afterAll(async () => {
  await daemon.stop()
  await removeImages(daemon)
  await daemon.close()
})

const collect = (request: object) => daemon.ask<GarbageReport>('POST', '/v1/node/gc', request)

it('continuous collection removes nothing that stagings, uploads and packages need', async () => {
  const done = new AbortController()
  let collections = 0
  const removed = new Set<string>()
  const collecting = (async () => {
    while (!done.signal.aborted) {
      for (const { kind } of (await collect(EVERYTHING)).removed) removed.add(kind)
      collections += 1
      // Each releases the containers that are created ahead, which are created again. In the second between the end of an
      // upload's grace and the verdict, there are still several.
      await delay(250)
    }
  })()
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const stagings = await Promise.all(
        Array.from({ length: PACKAGES }, async (_, n) => {
          const name = `site-${round}-${n}`
          const site = await tarballOf(path.join(daemon.directory, `${name}.tar.gz`), { 'index.html': name })
          await daemon.addPackage(site, name, { state: 'uploaded' })
          return await daemon.submit(name, 'slow')
        }),
      )
      // The record of an ended staging is garbage at once, so the state of the package is checked.
      for (const { package: fqn } of stagings) {
        let found: Package | undefined
        await until(`${fqn} is staged`, async () => {
          found = await daemon.ask<Package>('GET', `/v1/packages/${encodeURIComponent(fqn)}`)
          return found.state !== 'staging'
        })
        expect(found?.state, (await daemon.log()).slice(-3000)).toBe('ready')
      }
      await daemon.upload(
        await tarballOf(path.join(daemon.directory, `unused-${round}.tar.gz`), { unused: String(round) }),
      )
      // The next round must create its root image again.
      removed.delete('image')
      await until('the root image has gone', () => removed.has('image'))
    }
    await until('uploads that nothing uses have gone', () => removed.has('blob'))
  } finally {
    done.abort()
    await collecting
  }
  for (const { uuid, fqn } of await daemon.ask<Package[]>('GET', '/v1/packages')) {
    const { status, text } = await daemon.call('GET', `/v1/packages/${uuid}/data`)
    expect({ fqn, status, empty: text.length === 0 }).toEqual({ fqn, status: 200, empty: false })
  }
  console.log(`${collections} collections removed ${[...removed].sort().join(', ')}`)
  expect(removed).toContain('blob')
  expect(removed).toContain('staging')
  expect(removed).toContain('image')
}, 180_000)

it('without activity, only the data that packages and their results need stays', async () => {
  const packages = await daemon.ask<Package[]>('GET', '/v1/packages')
  const results = await Promise.all(
    packages.map(({ uuid }) => daemon.ask<Result[]>('GET', `/v1/packages/${uuid}/results`)),
  )
  const needed = [...packages, ...results.flat(), ...results.flat().map(({ source }) => ({ resource: source }))]
  const digests = new Set(needed.flatMap(({ resource }) => resource?.digest.replace('sha256:', '') ?? []))
  // Uploads are kept until their grace is over.
  await until('no blob is left that no package and no result names', async () => {
    expect((await collect(EVERYTHING)).dry_run).toBe(false)
    const blobs = await readdir(path.join(daemon.stateDirectory, 'blobs/sha256'), { recursive: true })
    const stored = new Set(blobs.filter((name) => name.length > 60).map((name) => path.basename(name)))
    expect(stored).toEqual(new Set([...stored, ...digests]))
    return stored.size === digests.size
  })
  expect(await readdir(path.join(daemon.stateDirectory, 'logs'))).toEqual([])
  const filters = { label: [`io.stagerd.node=${await daemon.nodeId()}`] }
  expect(await connectEngine().listImages({ filters })).toEqual([])
  expect((await collect(EVERYTHING)).removed).toEqual([])

  await daemon.addPackage(await tarballOf(path.join(daemon.directory, 'last.tar.gz'), { a: 'b' }), 'last', {
    state: 'uploaded',
  })
  const { uuid } = await daemon.submit('last', 'slow')
  expect((await daemon.ended(uuid)).state).toBe('succeeded')
  const gc = await daemon.stagectl('node', 'gc', '--dry-run', '--older-than', '0')
  expect(gc.stdout).toMatch(/WOULD GO\s+COUNT\s+SIZE/)
  await daemon.stop()
  await expectNothingLeft(daemon)
})

import { rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Package } from '../../../daemon/documents/package.js'
import { objectKey } from '../../../daemon/store/s3/blob-objects.js'
import { Bucket } from '../../../daemon/store/s3/bucket.js'
import { SwiftServer } from '../../support/s3/swift-server.js'
import { expectNothingLeft, removeImages } from '../support/leftovers.js'
import { PrivateDaemon } from '../support/private-daemon.js'
import { recipeTarball, stagerTarball, tarballOf } from '../support/tarballs.js'

const STAGES = `#!/bin/sh
set -e
cd / && mkdir -p app && echo staged > app/made
wget -q -O - --post-data= "$STAGER_URL/snapshot"
wget -q -O - --post-data= "$STAGER_URL/done"
`

let server: SwiftServer
let daemon: PrivateDaemon
const file = (name: string) => path.join(daemon.directory, name)

beforeAll(async () => {
  server = await SwiftServer.open()
  const { endpoint, bucket, credentials } = server.options
  const keys = `${credentials!.accessKeyId}\n${credentials!.secretAccessKey}\n`
  const credentialsFile = path.join(server.directory, 'credentials')
  await writeFile(credentialsFile, keys, { mode: 0o600 })
  const flags = ['--s3-endpoint', endpoint, '--s3-bucket', bucket, '--s3-prefix', 'node']
  daemon = await PrivateDaemon.start(['--blob-store', 's3', ...flags, '--s3-credentials', credentialsFile])
  await daemon.addPackage(await recipeTarball('busybox'), 'busybox', { provides: 'os.linux' })
  const program = await stagerTarball(file('stages.tar.gz'), { stage: STAGES })
  await daemon.addPackage(program, 'stages', { dependencies: 'os.linux' })
  await daemon.addStager({ name: 'stages', package: 'package::/::stages', start_command: './stage' })
  await tarballOf(file('app.tar.gz'), { 'index.html': 'hello' })
})
afterAll(async () => {
  await daemon.stop()
  await expectNothingLeft(daemon)
  await removeImages(daemon)
  await daemon.close()
  await server.close()
})

const stage = async (...flags: readonly string[]) =>
  await daemon.stagectl('stage', file('app.tar.gz'), '--pipeline', 'stages', '--name', 'app', ...flags)

it('a package is staged with its data in an object store, also by a node that has lost its copies, and not without it', async () => {
  const first = await stage()
  expect(first, first.stderr).toMatchObject({ exitCode: 0 })

  const app = `/v1/packages/${encodeURIComponent('package::/::app')}`
  const { resource } = await daemon.ask<Package>('GET', app)
  const bucket = await Bucket.open({ ...server.options, prefix: 'node/' })
  const inBucket = await bucket.get(objectKey(resource!.digest.replace('sha256:', '')))
  expect((await buffer(inBucket!.body)).equals(await daemon.download(app))).toBe(true)
  const logs: string[] = []
  for await (const { key } of bucket.list('logs/')) logs.push(key)
  expect(logs).toHaveLength(1)
  bucket.close()
  const log = async () => (await daemon.stagectl('staging', 'logs', logs[0]!.split('/')[1]!)).stdout
  const before = await log()
  expect(before).toContain('Staging is complete.')

  await daemon.kill()
  await rm(path.join(daemon.stateDirectory, 'logs'), { recursive: true })
  await rm(path.join(daemon.stateDirectory, 'blob-cache'), { recursive: true })
  await rm(path.join(daemon.stateDirectory, 'layers'), { recursive: true })
  await daemon.restart()
  const again = await stage('--no-reuse')
  expect(again, again.stderr).toMatchObject({ exitCode: 0 })
  expect(await log()).toBe(before)

  await server.kill()
  await expect(daemon.upload(file('stages.tar.gz'))).rejects.toThrow(/upload: 503 .*object-store-unavailable/s)
  await server.start()
  const after = await stage('--no-reuse')
  expect(after, after.stderr).toMatchObject({ exitCode: 0 })
})

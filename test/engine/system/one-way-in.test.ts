import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { NodeStatus } from '../../../daemon/documents/node.js'
import type { Staging } from '../../../daemon/documents/staging.js'
import { PostgresServer } from '../../daemon/store/postgres-server.js'
import { Authority } from '../../support/certificates.js'
import { freePort } from '../../support/free-port.js'
import { expectNothingLeft, removeImages } from '../support/leftovers.js'
import { CHECKOUT, PrivateDaemon, until } from '../support/private-daemon.js'
import { recipeTarball, stagerTarball, tarballOf } from '../support/tarballs.js'

const FAILS = `#!/bin/sh
wget -q -O /tmp/data "$STAGER_URL/data" && echo because >/tmp/why
wget -q -O - --post-data= "$STAGER_URL/failed"
`

let database: PostgresServer
/** The node that is asked, and the one that stages. */
let near: PrivateDaemon
let far: PrivateDaemon
let staging: string

beforeAll(async () => {
  database = await PostgresServer.start()
  const authority = await Authority.make(database.directory)
  const secretsKey = path.join(database.directory, 'secrets.key')
  await writeFile(secretsKey, 'k'.repeat(32), { mode: 0o600 })
  const start = async (name: string) => {
    const { certificate, key } = await authority.issue(name, { usages: 'serverAuth,clientAuth' })
    return await PrivateDaemon.start([
      ...['--database', 'postgresql', '--postgresql-host', database.directory, '--postgresql-tls', 'disable'],
      ...['--postgresql-port', String(database.port), '--postgresql-database', 'postgres'],
      ...['--secrets-key', secretsKey, '--node-name', name, '--node-address', `127.0.0.1:${await freePort()}`],
      ...['--node-certificate', certificate, '--node-key', key, '--node-authority', authority.certificate],
    ])
  }
  near = await start('near')
  far = await start('far')
  // So that it is staged at the other one.
  await near.ask('POST', '/v1/node/drain')
  const file = (name: string) => path.join(far.directory, name)
  await far.addPackage(await recipeTarball('busybox'), 'busybox', { provides: 'os.linux' })
  await far.addPackage(await stagerTarball(file('fails.tar.gz'), { stage: FAILS }), 'fails', {
    dependencies: 'os.linux',
  })
  await far.addStager({ name: 'fails', package: 'package::/::fails', start_command: './stage' })
  const app = await tarballOf(file('app.tar.gz'), { 'index.html': 'hello' })
  expect((await far.stagectl('stage', app, '--pipeline', 'fails', '--keep-failed', '15m')).exitCode).toBe(10)
  staging = (await far.ask<Staging[]>('GET', '/v1/stagings?limit=1'))[0]!.uuid
})

afterAll(async () => {
  for (const daemon of [near, far]) {
    await daemon.stop()
    await expectNothingLeft(daemon)
    await removeImages(daemon)
    await daemon.close()
  }
  await database.stop()
})

const shell = (input: string, ...command: string[]) =>
  execa(path.join(CHECKOUT, 'bin/stagectl'), ['staging', 'shell', staging, ...command], {
    ...{ reject: false, input, env: { STAGERD_SOCKET: near.socket } },
  })
const shells = async () => (await far.ask<Staging>('GET', `/v1/stagings/${staging}`)).kept?.shells

it('a shell in a container that another node keeps is as one at that node, and ends with the node that passes it on', async () => {
  const piped = await shell('cat /tmp/why; id -un; echo wrong >&2; exit 7')
  expect([piped.exitCode, piped.stdout, piped.stderr]).toEqual([7, 'because\nrunner', 'wrong'])

  // More than all buffers on the way, in both directions.
  const many = await shell('x'.repeat(8_000_000), '--', 'sh', '-c', 'tee /dev/stderr | wc -c')
  expect([many.exitCode, many.stdout, many.stderr.length]).toEqual([0, '8000000', 8_000_000])

  const status = await near.stagectl('node', 'status', '--node', 'far', '--json')
  expect((JSON.parse(status.stdout) as NodeStatus).kept).toMatchObject([{ staging }])

  const open = shell('', '--', 'sleep', '100')
  await until('it is open', async () => (await shells()) === 1)
  await near.kill()
  expect((await open).exitCode).toBe(3)
  await until('the command has been hung up', async () => (await shells()) === 0)
  await near.restart()

  expect((await near.stagectl('staging', 'release', staging)).exitCode).toBe(0)
  expect(await shells()).toBeUndefined()
  await far.stop()
  const away = await shell('exit 0')
  expect([away.exitCode, away.stderr]).toEqual([1, expect.stringContaining('Only the node far can answer this')])
})

import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Package } from '../../../daemon/documents/package.js'
import { expectNothingLeft, removeImages } from '../support/leftovers.js'
import { CREATED_AHEAD, PrivateDaemon, until } from '../support/private-daemon.js'
import { recipeTarball, tarballOf } from '../support/tarballs.js'

let daemon: PrivateDaemon

beforeAll(async () => {
  daemon = await PrivateDaemon.start(CREATED_AHEAD)
  await daemon.addPackage(await recipeTarball('busybox'), 'busybox', { provides: 'os.linux' })
  await daemon.addPackage(await tarballOf(path.join(daemon.directory, 'app.tar.gz'), { readme: 'hello' }), 'app', {
    dependencies: 'os.linux',
  })
})

afterAll(async () => {
  await daemon.stop()
  await expectNothingLeft(daemon)
  await removeImages(daemon)
  await daemon.close()
})

it('Ctrl-C stops a foreground program and shows its last output', async () => {
  const command = `trap 'echo goodbye; exit 0' TERM; echo up; while :; do sleep 0.1; done`
  const run = daemon.stagectl('run', 'app', '--command', command)
  let said = ''
  run.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
  await until('the program is up', () => said === 'up\n')
  run.kill('SIGINT')
  const { stdout, stderr, exitCode } = await run
  expect({ stdout, exitCode }).toEqual({ stdout: 'up\ngoodbye', exitCode: 14 })
  expect(stderr).toMatch(/Stopping app(…|\.{3}) \(press Ctrl-C again to leave at once\)/)
})

it('a package with a manifest runs within its limits, with its templates filled in', async () => {
  const manifest = [
    'package_dependencies [ "os.linux" ]',
    `start_cmd: 'cat /app/shop.conf; cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null; echo "$GREETING"'`,
    'env { GREETING: "hello from {{name}}" }',
    'templates [ { path: "shop.conf" } ]',
    'resources { cpu: 50%, memory: 32MB }',
  ].join('\n')
  const text = 'name={{name}} memory={{memory}} cpu={{cpu}}{{range bindings}} {{.Name}}{{end}}\n'
  const { sha256 } = await daemon.upload(
    await tarballOf(path.join(daemon.directory, 'shop.tar.gz'), { 'app/': '', 'app/shop.conf': text }),
  )
  const draft = { namespace: '/', name: 'shop', resource: sha256, state: 'ready', manifest }
  const { uuid } = await daemon.ask<Package>('POST', '/v1/packages', { ...draft, environment: { START_PATH: '/app' } })
  const run = await daemon.stagectl('run', 'shop')
  const memory = 32 * 1024 ** 2
  expect(run.stdout).toBe(`name=shop memory=${memory} cpu=500\n${memory}\nhello from shop`)
  expect((await daemon.stagectl('run', 'shop', '--memory', '64MB')).stdout).toContain(`memory=${memory * 2} `)

  await daemon.ask('PATCH', `/v1/packages/${uuid}`, { manifest: manifest.replace('shop.conf" }', 'none.conf" }') })
  const { exitCode, stderr } = await daemon.stagectl('run', 'shop')
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 4 })
  expect(stderr).toContain(
    'Line 4, column 21 of the manifest: There is no file /app/none.conf or /none.conf for a template',
  )
})

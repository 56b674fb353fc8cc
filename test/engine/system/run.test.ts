import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { leftovers, removeImages } from '../support/leftovers.js'
import { PrivateDaemon, until } from '../support/private-daemon.js'
import { recipeTarball, tarballOf } from '../support/tarballs.js'

let daemon: PrivateDaemon

beforeAll(async () => {
  daemon = await PrivateDaemon.start()
  await daemon.addPackage(await recipeTarball('busybox'), 'busybox', { provides: 'os.linux' })
  await daemon.addPackage(await tarballOf(path.join(daemon.directory, 'app.tar.gz'), { readme: 'hello' }), 'app', {
    dependencies: 'os.linux',
  })
})

afterAll(async () => {
  await daemon.stop()
  expect(await leftovers(daemon)).toEqual([])
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

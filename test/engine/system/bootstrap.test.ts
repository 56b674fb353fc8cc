import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Bootstrap } from '../../../daemon/documents/bootstrap.js'
import type { Package } from '../../../daemon/documents/package.js'
import { leftovers, removeImages } from '../support/leftovers.js'
import { PrivateDaemon, until } from '../support/private-daemon.js'

let daemon: PrivateDaemon
let other: PrivateDaemon
beforeAll(async () => {
  daemon = await PrivateDaemon.start()
  other = await PrivateDaemon.start()
})

afterAll(async () => {
  for (const one of [daemon, other]) {
    await one.stop()
    expect(await leftovers(one)).toEqual([])
    await removeImages(one)
    await one.close()
  }
})

const DEBIAN = 'package::/apcera/pkg/os::debian-12'
const newest = async () => (await daemon.ask<Bootstrap[]>('GET', '/v1/bootstraps?limit=1'))[0]

/** Debian is built from the mirror of the host. */
const BUILD_MS = 600_000

describe('a bootstrap on a real Engine', () => {
  it(
    'builds an operating system in a container, also after a kill, and the compiler on it',
    async () => {
      await daemon.stagectl('bootstrap', 'compiler', '--detach')
      await until('Debian is being built', async () =>
        Boolean((await newest())?.items.find(({ name }) => name === DEBIAN)?.staging),
      )
      await daemon.kill()
      await daemon.restart()
      const { exitCode, stdout, stderr } = await daemon.stagectl('bootstrap', 'compiler')

      expect(exitCode, stdout + stderr).toBe(0)
      expect(stdout).toContain('[bootstrap] Complete: ')
      const debian = await daemon.ask<Package>('GET', `/v1/packages/${encodeURIComponent(DEBIAN)}`)
      expect(debian).toMatchObject({
        state: 'ready',
        provides: [{ name: 'linux' }, { name: 'debian' }, { name: 'debian-12' }],
      })
      const named = (await daemon.ask<Package[]>('GET', '/v1/packages')).map(({ fqn }) => fqn)
      expect(named.filter((fqn) => fqn.includes('.bootstrap-'))).toEqual([])
    },
    BUILD_MS,
  )

  it('leaves a node on which build scripts run', async () => {
    const script = path.join(daemon.directory, 'hello.conf')
    await mkdir(path.dirname(script), { recursive: true })
    await writeFile(
      script,
      'name: "hello"\ndepends [ { os: "debian-12" } ]\nbuild (\n  sudo sh -c "echo hello >/opt/hello"\n)\n',
    )
    const { exitCode, stdout, stderr } = await daemon.stagectl('package', 'build', script)

    expect(exitCode, stdout + stderr).toBe(0)
    const { stdout: hello } = await daemon.stagectl('run', 'hello', '--command', 'cat /opt/hello')
    expect(hello).toContain('hello')
  })

  it('has nothing to do afterwards', async () => {
    const started = Date.now()
    const { exitCode, stdout } = await daemon.stagectl('bootstrap', 'compiler')

    expect([exitCode, stdout]).toEqual([0, '[bootstrap] Complete: 0 made, 4 there already.'])
    expect(Date.now() - started).toBeLessThan(10_000)
  })

  it('furnishes another node by a file', async () => {
    const file = path.join(daemon.directory, 'stagerd.cntmp')
    expect((await daemon.stagectl('bootstrap', 'compiler', '--to', file)).exitCode).toBe(0)
    const taken = await other.stagectl('bootstrap', '--from', file)
    expect(taken.exitCode, taken.stderr).toBe(0)
    // It is the same as if it had been made there.
    const { stdout } = await other.stagectl('bootstrap', 'compiler')
    expect(stdout).toBe('[bootstrap] Complete: 0 made, 4 there already.')
  })
})

import path from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Bootstrap } from '../../../daemon/documents/bootstrap.js'
import type { Package } from '../../../daemon/documents/package.js'
import type { Staging } from '../../../daemon/documents/staging.js'
import { expectNothingLeft, removeImages } from '../support/leftovers.js'
import { MADE } from '../support/made-file.js'
import { CHECKOUT, PrivateDaemon, until } from '../support/private-daemon.js'
import { describeBuildScripts } from './build-scripts.js'
import { describeBuildpacks } from './buildpacks.js'
import { describeLibrary } from './stager-library.js'

const DEBIAN = 'package::/apcera/pkg/os::debian-12'
const GIT = 'package::/apcera/pkg/packages::git-2.39'

/**
 * With LAW_RUNS, also what takes another node, on which Debian becomes a layer and an image once more, and what needs compilers.
 * The node of these tests takes what was made before from a file of a bootstrap, too, but has a network.
 */
const ALL = process.env['LAW_RUNS'] !== undefined

/** Debian is built from the mirror of the host. */
const BUILD_MS = 600_000

let daemon: PrivateDaemon
/** The output of the bootstrap of the daemon. */
let said: string

const newest = async () => (await daemon.ask<Bootstrap[]>('GET', '/v1/bootstraps?limit=1'))[0]
const packages = (node = daemon) => node.ask<Package[]>('GET', '/v1/packages')
const show = (fqn: string) => daemon.ask<Package>('GET', `/v1/packages/${encodeURIComponent(fqn)}`)

// Debian and what is built on it take minutes, so all tests that need them share this node, which takes from the file what
// was made before by the same bootstrap. Without it, all is made here. ./scripts/applications does the same for other
// languages, and stages applications there.
beforeAll(async () => {
  daemon = await PrivateDaemon.start(MADE === undefined ? ['--bootstrap', 'buildpack'] : [])
  if (MADE !== undefined) {
    const { exitCode, stderr } = await daemon.stagectl('bootstrap', '--from', MADE)
    expect(exitCode, stderr).toBe(0)
    await daemon.stop()
    await daemon.restart(['--bootstrap', 'buildpack'])
  }
  const first = MADE === undefined ? DEBIAN : GIT
  // The start with the setting begins the bootstrap.
  await until(`${first} is being built`, async () =>
    Boolean((await newest())?.items.find(({ name }) => name === first)?.staging),
  )
  await daemon.kill()
  await daemon.restart()
  const { exitCode, stdout, stderr } = await daemon.stagectl('bootstrap', 'buildpack')
  said = stdout + stderr
  expect(exitCode, said).toBe(0)
}, BUILD_MS)

afterAll(async () => {
  await daemon.stop()
  await expectNothingLeft(daemon)
  await removeImages(daemon)
  await daemon.close()
})

describe('a bootstrap on a real Engine', () => {
  it('that the settings ask for builds in containers what a pipeline needs, also after a kill', async () => {
    expect(await daemon.ask<Bootstrap[]>('GET', '/v1/bootstraps')).toMatchObject([
      { state: 'succeeded', pipelines: ['buildpack'] },
    ])
    expect(said).toContain('[bootstrap] Complete: ')
    expect(await show(DEBIAN)).toMatchObject({
      state: 'ready',
      provides: [{ name: 'linux' }, { name: 'debian' }, { name: 'debian-12' }],
    })
    expect((await packages()).map(({ fqn }) => fqn).filter((fqn) => fqn.includes('.bootstrap-'))).toEqual([])
  })

  it('has nothing to do afterwards, and stages nothing', async () => {
    const stagings = () => daemon.ask<Staging[]>('GET', '/v1/stagings?limit=1000')
    const before = { stagings: await stagings(), packages: await packages() }
    const { exitCode, stdout } = await daemon.stagectl('bootstrap', 'buildpack')

    const { items = [] } = (await newest()) ?? {}
    expect([exitCode, stdout]).toEqual([0, `[bootstrap] Complete: 0 made, ${items.length} there already.`])
    expect({ stagings: await stagings(), packages: await packages() }).toEqual(before)
  })

  if (ALL)
    it('furnishes a node without a network by a file, and an application is staged there', async () => {
      const file = path.join(daemon.directory, 'stagerd.cntmp')
      expect((await daemon.stagectl('bootstrap', 'bash', '--to', file)).exitCode).toBe(0)
      // No resolver knows this name.
      const nowhere = 'http://nowhere.invalid'
      const proxy = `${nowhere}:3128`
      const other = await PrivateDaemon.start(
        ['--debian-mirror', nowhere, '--http-proxy', proxy, '--https-proxy', proxy],
        { http_proxy: proxy, https_proxy: proxy },
      )
      try {
        const taken = await other.stagectl('bootstrap', '--from', file)
        expect(taken.exitCode, taken.stderr).toBe(0)
        // It is the same as if it had been made there.
        const { stdout } = await other.stagectl('bootstrap', 'bash')
        expect(stdout).toBe('[bootstrap] Complete: 0 made, 4 there already.')

        const staged = await other.stagectl('stage', path.join(CHECKOUT, 'examples/apps/bash-plain'))
        expect(staged.exitCode, staged.stdout + staged.stderr).toBe(0)
        const tested = await other.stagectl('run', 'bash-plain', '--command', 'bash test/answer.sh')
        expect(tested.exitCode, tested.stdout + tested.stderr).toBe(0)
      } finally {
        await other.stop()
        await expectNothingLeft(other)
        await removeImages(other)
        await other.close()
      }
    })
})

describe('with Ruby and Python', () => {
  beforeAll(async () => {
    const { exitCode, stderr } = await daemon.stagectl('bootstrap', 'ruby', 'python')
    expect(exitCode, stderr).toBe(0)
  }, BUILD_MS)

  it.each([
    // The largest one.
    ...(ALL ? [['packages::build-essential', 'usr/bin/x86_64-linux-gnu-gcc-12'] as const] : []),
    ['packages::git-2.39', 'usr/bin/git'] as const,
    ['runtimes::python-3.11', 'usr/include/python3.11/Python.h'] as const,
  ])('%s, built with apt in a container, has its programs and no caches', async (name, program) => {
    const tarball = await daemon.download(`/v1/packages/${encodeURIComponent(`package::/apcera/pkg/${name}`)}`)
    const { stdout } = await execa('tar', ['-tzf', '-'], { input: tarball })
    const names = stdout.split('\n').filter((line) => line !== '' && !line.endsWith('/'))
    if (process.arch === 'x64') expect(names).toContain(program)
    expect(names.filter((path) => /^(?:tmp|var\/(?:tmp|cache\/apt|lib\/apt\/lists|log))\//.test(path))).toEqual([])
  })

  describeBuildScripts(() => daemon)
  describeLibrary(() => daemon, 'Ruby', 'Python')
  describeBuildpacks(() => daemon)
})

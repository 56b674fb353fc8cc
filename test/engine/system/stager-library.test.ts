import { copyFile, mkdir } from 'node:fs/promises'
import path from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Package } from '../../../daemon/documents/package.js'
import { expectNothingLeft, removeImages } from '../support/leftovers.js'
import { CHECKOUT, CREATED_AHEAD, PrivateDaemon } from '../support/private-daemon.js'
import { recipeTarball, stagerTarball, tarballOf, treeOf } from '../support/tarballs.js'

let daemon: PrivateDaemon
const file = (name: string) => path.join(daemon.directory, name)

beforeAll(async () => {
  daemon = await PrivateDaemon.start(CREATED_AHEAD)
  await daemon.addPackage(await recipeTarball('debian-12'), 'debian-12', {
    provides: 'os.linux os.debian os.debian-12',
  })
  await daemon.addPackage(await recipeTarball('node'), 'node', {
    provides: 'runtime.node',
    dependencies: 'os.debian',
    environment: { PATH: '/opt/node-20/bin:$PATH' },
  })
  const shout = '#!/bin/sh\ntr a-z A-Z <"$1"\n'
  await daemon.addPackage(await tarballOf(file('shout.tar.gz'), { 'opt/shout/bin/shout': shout }), 'shout', {
    provides: 'package.shout',
    dependencies: 'os.debian',
    environment: { PATH: '/opt/shout/bin:$PATH', 'shout.mode': 'loud', RUBYLIB: '/opt/shout/lib' },
  })
  const program = file('program')
  await mkdir(program)
  for (const name of ['test/fixtures/stager-library/call.sh', 'test/fixtures/stager-library/call.mjs'])
    await copyFile(path.join(CHECKOUT, name), path.join(program, path.basename(name)))
  for (const name of ['stager.sh', 'stager.mjs'])
    await copyFile(path.join(CHECKOUT, 'stagers/lib', name), path.join(program, name))
  const tarball = await stagerTarball(file('program.tar.gz'), await treeOf(program))
  await daemon.addPackage(tarball, 'program', { dependencies: 'os.debian', environment: { LIBRARY: '/app' } })
})

afterAll(async () => {
  await daemon.stop()
  await expectNothingLeft(daemon)
  await removeImages(daemon)
  await daemon.close()
})

/** What the stager does. In words of the shell. */
const CALLS = [
  'relaunch_with os.debian package.shout',
  'say Entering',
  'get_data /stagerfs/app',
  `in_stagerfs sh -c 'echo "$(id -u) in $(pwd) with HOME $HOME: $(shout index.html), \${STAGER_URL-no URL}"'`,
  `in_stagerfs env`,
  `in_stagerfs sh -c 'shout index.html >built && echo x >"$HOME/cache"'`,
  `in_stagerfs_as_root sh -c 'id -u && umask 077 && mkdir secret && echo y >secret/by-root'`,
  'put_data /stagerfs app',
  "set_start_command 'cat built'",
  'set_start_path /app',
  'finish',
]

describe.each([
  { language: 'bash', command: 'exec ./call.sh', dependencies: [] },
  { language: 'Node.js', command: 'exec node call.mjs', dependencies: [{ type: 'runtime' as const, name: 'node' }] },
])('the library for stagers in $language, in a container', ({ language, command, dependencies }) => {
  it('relaunches once with what is missing, and runs commands in the filesystem of the package', async () => {
    const stager = `with-${language.toLowerCase().replace('.', '')}`
    const app = `app-${stager}`
    const start_command = `${command} ${CALLS.join(' + ')}`
    await daemon.addStager({ name: stager, package: 'package::/::program', start_command, dependencies })
    await daemon.addPackage(await tarballOf(file('app.tar.gz'), { 'index.html': 'hello' }), app, { state: 'uploaded' })
    const { uuid } = await daemon.submit(app, stager)
    const staging = await daemon.ended(uuid)
    const log = await daemon.text(uuid)

    expect(staging.failure, log).toBeUndefined()
    expect(staging.launches.map(({ state }) => state)).toEqual(['relaunched', 'done'])
    expect(log.match(/-----> Entering/g)).toHaveLength(1)
    expect(log).toContain('99 in /app with HOME /tmp/stager-home: HELLO, no URL')
    // A shell of Debian would drop this variable, and sudo all of them.
    expect(log).toContain('shout.mode=loud')
    // It steers interpreters, so that it is for programs of the package alone.
    expect(log.match(/^.*RUBYLIB=.*$/gm)).toEqual([expect.stringMatching(/\bRUBYLIB=\/opt\/shout\/lib$/)])
    expect(log).not.toContain('STAGERFS_ENV_')

    const staged = await daemon.ask<Package>('GET', `/v1/packages/${encodeURIComponent(`package::/::${app}`)}`)
    expect(staged.environment).toEqual({ START_COMMAND: 'cat built', START_PATH: '/app' })
    const downloaded = file(`${app}.tar.gz`)
    await execa(path.join(CHECKOUT, 'bin/stagectl'), ['package', 'download', `/::${app}`, '-f', downloaded], {
      env: { STAGERD_SOCKET: daemon.socket, XDG_CONFIG_HOME: daemon.directory },
    })
    const { stdout } = await execa('tar', ['-tvzf', downloaded, '--numeric-owner'])
    const entries = stdout.split('\n').map((line) => line.replace(/^\S+ (\S+) .* (\S+)$/, '$1 $2'))
    expect(entries).toEqual([
      '99/99 app/',
      '99/99 app/built',
      '99/99 app/index.html',
      '0/0 app/secret/',
      '0/0 app/secret/by-root',
    ])
  })
})

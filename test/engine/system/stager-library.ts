import { copyFile, mkdir } from 'node:fs/promises'
import path from 'node:path'
import { execa } from 'execa'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Package } from '../../../daemon/documents/package.js'
import { CHECKOUT, type PrivateDaemon } from '../support/private-daemon.js'
import { stagerTarball, tarballOf, treeOf } from '../support/tarballs.js'

/** How a stager in each language of the library is started, and the runtime that it needs. */
const PROGRAMS = {
  bash: { command: './call.sh', runtime: undefined },
  'Node.js': { command: 'node call.mjs', runtime: 'node' },
  Ruby: { command: 'ruby call.rb', runtime: 'ruby' },
  Python: { command: 'python3 call.py', runtime: 'python' },
} as const

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

/** The tests of the library for stagers in containers, on a node with Debian and the runtimes of these languages. */
export function describeLibrary(node: () => PrivateDaemon, ...languages: readonly (keyof typeof PROGRAMS)[]): void {
  const file = (name: string) => path.join(node().directory, name)

  beforeAll(async () => {
    const shout = '#!/bin/sh\ntr a-z A-Z <"$1"\n'
    await node().addPackage(await tarballOf(file('shout.tar.gz'), { 'opt/shout/bin/shout': shout }), 'shout', {
      provides: 'package.shout',
      dependencies: 'os.debian',
      environment: { PATH: '/opt/shout/bin:$PATH', 'shout.mode': 'loud', RUBYLIB: '/opt/shout/lib' },
    })
    const program = file('program')
    await mkdir(program)
    for (const extension of ['sh', 'mjs', 'rb', 'py']) {
      const [call, library] = [`call.${extension}`, `stager.${extension}`]
      await copyFile(path.join(CHECKOUT, 'test/fixtures/stager-library', call), path.join(program, call))
      await copyFile(path.join(CHECKOUT, 'stagers/lib', library), path.join(program, library))
    }
    const tarball = await stagerTarball(file('program.tar.gz'), await treeOf(program))
    await node().addPackage(tarball, 'program', { dependencies: 'os.debian', environment: { LIBRARY: '/app' } })
  })

  describe.each(languages)('the library for stagers in %s, in a container', (language) => {
    it('relaunches once with what is missing, and runs commands in the filesystem of the package', async () => {
      const stager = `with-${language.toLowerCase().replace('.', '')}`
      const app = `app-${stager}`
      const { command, runtime } = PROGRAMS[language]
      const dependencies = runtime === undefined ? [] : [{ type: 'runtime' as const, name: runtime }]
      const start_command = `exec ${command} ${CALLS.join(' + ')}`
      await node().addStager({ name: stager, package: 'package::/::program', start_command, dependencies })
      await node().addPackage(await tarballOf(file('app.tar.gz'), { 'index.html': 'hello' }), app, {
        state: 'uploaded',
      })
      const { uuid } = await node().submit(app, stager)
      const staging = await node().ended(uuid)
      const log = await node().text(uuid)

      expect(staging.failure, log).toBeUndefined()
      expect(staging.launches.map(({ state }) => state)).toEqual(['relaunched', 'done'])
      expect(log.match(/-----> Entering/g)).toHaveLength(1)
      expect(log).toContain('99 in /app with HOME /tmp/stager-home: HELLO, no URL')
      // A shell of Debian would drop this variable, and sudo all of them.
      expect(log).toContain('shout.mode=loud')
      // It steers interpreters, so that it is for programs of the package alone.
      expect(log.match(/^.*RUBYLIB=.*$/gm)).toEqual([expect.stringMatching(/\bRUBYLIB=\/opt\/shout\/lib$/)])
      expect(log).not.toContain('STAGERFS_ENV_')

      const staged = await node().ask<Package>('GET', `/v1/packages/${encodeURIComponent(`package::/::${app}`)}`)
      expect(staged.environment).toEqual({ START_COMMAND: 'cat built', START_PATH: '/app' })
      const downloaded = file(`${app}.tar.gz`)
      await execa(path.join(CHECKOUT, 'bin/stagectl'), ['package', 'download', `/::${app}`, '-f', downloaded], {
        env: { STAGERD_SOCKET: node().socket, XDG_CONFIG_HOME: node().directory },
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
}

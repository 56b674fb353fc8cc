import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { execa } from 'execa'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Package } from '../../../daemon/documents/package.js'
import { CHECKOUT, type PrivateDaemon } from '../support/private-daemon.js'
import { tarballOf } from '../support/tarballs.js'

const BODY = `
tar -xzf greeting-1.0.tar.gz
sudo mkdir -p /opt/greeting/bin /opt/greeting/doc
sudo install -m 0755 greet.sh /opt/greeting/bin/greet
shouted=$(shout <greeting-1.0/text)
sudo tee /opt/greeting/text >/dev/null <<TEXT
$shouted
  ) as $(whoami)
TEXT
sudo mkdir /var/log/greeting
sudo touch /opt/greeting/doc/readme /opt/tool/doc/readme /var/log/greeting.log /var/log/greeting/access.log
# The build has no need of a verdict, and no way to give one.
test -z "\${STAGER_URL:-}"
test -z "\${GREETING:-}"`

/** The tests of build scripts on a node with debian-12, build-essential and the compiler. */
export function describeBuildScripts(node: () => PrivateDaemon): void {
  const file = (name: string) => path.join(node().directory, name)

  /** A private cache, so that sources of earlier test runs are not in it. */
  function stagectl(...args: string[]) {
    return execa(path.join(CHECKOUT, 'bin/stagectl'), args, {
      reject: false,
      env: { STAGERD_SOCKET: node().socket, XDG_CONFIG_HOME: node().directory, XDG_CACHE_HOME: file('cache') },
    })
  }

  async function build(name: string, script: string) {
    await mkdir(file('scripts'), { recursive: true })
    await writeFile(file(`scripts/${name}.conf`), script)
    return await stagectl('package', 'build', file(`scripts/${name}.conf`))
  }

  const show = (name: string) => node().ask<Package>('GET', `/v1/packages/${encodeURIComponent(`package::${name}`)}`)
  const packages = async () => (await node().ask<Package[]>('GET', '/v1/packages')).map(({ name }) => name)

  /** The entries of a package, without directories. */
  async function contents(name: string): Promise<string[]> {
    await stagectl('package', 'download', name, '-f', file('contents.tar.gz'))
    const { stdout } = await execa('tar', ['-tzf', file('contents.tar.gz')])
    return stdout.split('\n').filter((line) => line !== '' && !line.endsWith('/'))
  }

  async function greetingScript(body: string): Promise<string> {
    const source = await tarballOf(file('greeting-1.0.tar.gz'), { 'greeting-1.0/text': 'hello from the source' })
    const { stdout } = await execa('sha256sum', [source])
    await mkdir(file('scripts'), { recursive: true })
    await writeFile(file('scripts/greet.sh'), '#!/bin/sh\ncat /opt/greeting/text\n')
    return `
name: greeting, namespace: "/acme/pkg"
version: "1.0", description: "Says hello"
sources [ { url: "file://${source}", sha256: "${stdout.split(' ')[0]}" } ]
include_files [ "greet.sh" ]
build_depends [ { package: "tool" } ]
depends [ { os: "debian-12" } ]
provides [ { package: "greeting" }, { package: "greeting-1.0" } ]
environment { "PATH": "/opt/greeting/bin:$PATH", "GREETING": "two\\nlines", "greeting.mode/x": "&=" }
cleanup [ "/opt/greeting/doc", "/opt/tool" ]
build (
${body}
)
`
  }

  describe('a build script', () => {
    beforeAll(async () => {
      // A build dependency, with documentation that a script may clean up.
      const shout = '#!/bin/sh\ntr a-z A-Z\n'
      const tool = await tarballOf(file('tool.tar.gz'), {
        'opt/tool/bin/shout': shout,
        'opt/tool/doc/readme': 'read me',
      })
      await node().addPackage(tool, 'tool', {
        provides: 'package.tool',
        dependencies: 'os.debian-12',
        environment: { PATH: '/opt/tool/bin:$PATH' },
      })
    })

    it('makes a package of its changes, without cleaned-up files and without build dependencies', async () => {
      const built = await build('greeting', await greetingScript(BODY))
      expect(built.exitCode, built.stdout + built.stderr).toBe(0)

      const made = await show('/acme/pkg::greeting')
      expect(made).toMatchObject({
        state: 'ready',
        version: '1.0',
        description: 'Says hello',
        dependencies: [{ type: 'os', name: 'debian-12' }],
        provides: [
          { type: 'package', name: 'greeting' },
          { type: 'package', name: 'greeting-1.0' },
        ],
        environment: { PATH: '/opt/greeting/bin:$PATH', GREETING: 'two\nlines', 'greeting.mode/x': '&=' },
      })
      // The package neither contains nor removes files of the tool, although the script has touched them.
      expect(made.resource?.removals).toBe(0)
      expect(await contents('/acme/pkg::greeting')).toEqual(['opt/greeting/bin/greet', 'opt/greeting/text'])

      await stagectl('package', 'download', '/acme/pkg::greeting', '-f', file('greeting.tar.gz'))
      const { stdout } = await execa('tar', ['-xzOf', file('greeting.tar.gz'), 'opt/greeting/text'])
      expect(stdout).toBe('HELLO FROM THE SOURCE\n  ) as runner')
      // A server that was installed with apt does not start without its directory.
      expect((await execa('tar', ['-tzf', file('greeting.tar.gz')])).stdout.split('\n')).toContain('var/log/greeting/')
    })

    it('that fails shows its last lines in order, and keeps the existing package', async () => {
      const before = await show('/acme/pkg::greeting')
      const names = await packages()
      const lines = [0, 1, 2, 3, 4, 5]
      const toBothStreams = lines.map((line) => `echo ${line} ${line % 2 === 0 ? '' : '>&2'}`).join('\n')
      const body = `${toBothStreams}\nmake-no-sense --now\necho never`
      const built = await build('greeting', await greetingScript(body))
      expect(built.exitCode).toBe(10)
      const said = built.stdout + built.stderr
      const inOrder = lines.map((line) => `\\[staging\\]   ${line}\n`).join('')
      expect(said).toMatch(new RegExp(`Last lines of the stager:\\s[^]*${inOrder}.*make-no-sense: command not found`))
      expect(said).not.toContain('never')
      expect(await packages()).toEqual(names)
      expect(await show('/acme/pkg::greeting')).toEqual(before)
    })

    it('replaces the existing package when it is built again', async () => {
      const before = await show('/acme/pkg::greeting')
      const built = await build('greeting', await greetingScript(`${BODY}\nsudo touch /opt/greeting/second`))
      expect(built.exitCode, built.stdout + built.stderr).toBe(0)
      const after = await show('/acme/pkg::greeting')
      expect(after.uuid).toBe(before.uuid)
      expect(after.resource?.digest).not.toBe(before.resource?.digest)
      expect(await contents('/acme/pkg::greeting')).toContain('opt/greeting/second')
      expect((await packages()).filter((name) => name.startsWith('greeting'))).toEqual(['greeting'])
    })

    it('may create a root of its own', async () => {
      const built = await build(
        'rootfs',
        `name: tiny, depends [ { os: linux } ], provides [ { os: tiny } ], snapshot_path "/rootfs", cleanup [ "/rootfs/junk" ]
build (
  sudo mkdir -p /rootfs/bin /rootfs/etc
  echo tiny | sudo tee /rootfs/etc/hostname
  sudo ln -s ../etc/hostname /rootfs/bin/name
  sudo mkfifo /rootfs/etc/pipe
  sudo touch /rootfs/junk /elsewhere
)`,
      )
      expect(built.exitCode, built.stdout + built.stderr).toBe(0)
      expect((await contents('tiny')).sort()).toEqual(['bin/name', 'etc/hostname'])
    })

    it('does not start when the digest of a source is wrong', async () => {
      const digest = createHash('sha256').update('another').digest('hex')
      const script = (await greetingScript('true')).replace(/sha256: "[^"]*"/, `sha256: "${digest}"`)
      const built = await build('greeting', script)
      expect(built.exitCode).toBe(5)
      expect(built.stderr).toMatch(/has the sha256 .*script expects/)
    })

    // The native gem of a sample application is compiled with it, too, and it is large.
    if (process.env['LAW_RUNS'] !== undefined)
      it('compiles with build-essential', async () => {
        const built = await build(
          'answer',
          `name: answer, depends [ { os: debian-12 } ], build_depends [ { package: build-essential } ]
provides [ { package: answer } ]
build (
cat >answer.c <<'SOURCE'
#include <stdio.h>
int main(void) { return printf("%d\\n", 6 * 7) < 0; }
SOURCE
make answer
sudo install -D answer /opt/answer/bin/answer
)`,
        )
        expect(built.exitCode, built.stdout + built.stderr).toBe(0)
        expect(await contents('answer')).toEqual(['opt/answer/bin/answer'])
      })
  })
}

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { runProcess } from '../../base/run-process.js'
import { isOfMachine } from '../docs/support/elsewhere.js'
import { follow, substitute } from '../docs/support/follow.js'
import { CHECKOUT } from '../engine/support/private-daemon.js'
import { blockCommandsIn, commandsIn, sectionOf } from '../support/document-commands.js'
import { expectToServe } from '../support/serving-command.js'
import { quiet, stagectl, systemctl } from './support/installation.js'
import { apt, EARLIER, installedVersion, withVersion } from './support/packages.js'

/** It compiles a library, installs Docker, and has Debian made. */
const MINUTES = 60_000
/** What the host has for other tests, and the package has to bring along. */
const BROUGHT_ALONG = ['docker.io', 'containerd', 'runc', 'iptables', 'attr', 'bzip2', 'zstd', 'isal', 'pigz', 'debootstrap', 'make', 'g++'] // prettier-ignore

const documentAt = (name: string) => readFile(path.join(CHECKOUT, name), 'utf8')

/** Whoever follows a document says yes to apt. */
const asUser = (commands: string) => [
  '-euc',
  `sudo() { "$@"; }\napt-get() { command apt-get --yes "$@"; }\n${commands}`,
]

/** Where the commands of the guide run, and leave their files. */
let directory: string

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'stagerd-guide-'))
  await apt('remove', ...BROUGHT_ALONG)
  await apt('update')
}, 10 * MINUTES)

afterAll(async () => {
  await apt('purge', 'stagerd')
  await rm(directory, { recursive: true })
})

it(
  'the words of the README install the package on a bare host, and stage and run a first application',
  async () => {
    await expect(runProcess('docker', ['version'])).rejects.toThrow()
    const commands = blockCommandsIn(sectionOf(await documentAt('README.md'), 'Install it'))
    expect(commands.length).toBeGreaterThan(3)
    const run = commands.at(-1) ?? ''
    expect(run).toContain('stagectl run')
    const options = { cwd: CHECKOUT, env: quiet }
    await execa('bash', asUser(commands.slice(0, -1).join('\n')), options)
    await expectToServe(run, options)
  },
  30 * MINUTES,
)

const PACKAGE = path.join(CHECKOUT, 'dist/stagerd_0.1.0_amd64.deb')
const packagesOf = async () => (await stagectl('package', 'list', '--json')).stdout

/** Something that a node can lose. */
async function addPackage(name: string): Promise<void> {
  const tarball = path.join(directory, `${name}.tar.gz`)
  await runProcess('tar', ['-czf', tarball, '-C', '/etc', 'hostname'])
  await stagectl('package', 'from-file', tarball, name)
}

it(
  'every command of the guides for the service and its host',
  async () => {
    const commands = [
      ...commandsIn(await documentAt('docs/operations.md')),
      ...commandsIn(await documentAt('docs/access.md')),
    ]
    const backUp = async (name: string) => {
      await addPackage(name)
      await stagectl('node', 'backup', path.join(directory, `${name}.tar`))
    }
    let before = ''
    const restored = async () => expect(await packagesOf()).toBe(before)
    await follow(
      commands.filter(isOfMachine),
      {
        'usermod --append --groups stagerd NAME': {
          after: async () => expect((await runProcess('id', ['-nG', 'daemon'])).stdout.split(' ')).toContain('stagerd'),
        },
        'apt-get remove stagerd': { after: () => apt('install', PACKAGE) },
        'apt-get purge stagerd': { after: () => apt('install', PACKAGE) },
        'systemctl stop stagerd': {
          after: async () =>
            expect((await systemctl('show', '--property=ActiveState', 'stagerd')).stdout).toBe('ActiveState=inactive'),
        },
        'sudo tar -xzf stagerd-settings.tar.gz -C /etc': {
          before: async () => {
            await backUp('node')
            before = await packagesOf()
            await runProcess('tar', ['-czf', path.join(directory, 'stagerd-settings.tar.gz'), '-C', '/etc', 'stagerd'])
            await systemctl('stop', 'stagerd')
            for (const lost of ['/var/lib/stagerd', '/etc/stagerd']) await rm(lost, { recursive: true })
            await systemctl('start', 'stagerd')
            expect(await packagesOf()).not.toBe(before)
          },
          after: async () => expect(await readFile('/etc/stagerd/stagerd.toml', 'utf8')).toContain('concurrency'),
        },
        'sudo stagectl node restore node.tar': { after: restored },
        // Whether the machine is as it should be is for other tests.
        'sudo stagectl node doctor': { code: 'any' },
        'sudo systemctl stop stagerd': {
          before: async () => {
            await withVersion(EARLIER, PACKAGE, path.join(directory, 'stagerd_OLD.deb'))
            await backUp('before-upgrade')
            before = await packagesOf()
          },
        },
        'sudo stagectl node restore before-upgrade.tar': {
          after: async () => {
            await restored()
            expect(await installedVersion()).toBe(EARLIER)
            await apt('install', PACKAGE)
            await restored()
          },
        },
        'journalctl -u stagerd -n 20': { before: () => systemctl('stop', 'stagerd') },
        'systemctl start stagerd': { after: () => stagectl('node', 'status') },
        'systemd-sysusers stagerd.conf': { before: () => runProcess('groupdel', ['stagerd']) },
        'groupadd --system stagerd': { before: () => runProcess('groupdel', ['stagerd']) },
        'journalctl -u stagerd STAGERD_AUDIT_OPERATION=deletePackage': {
          before: () => stagectl('package', 'delete', 'node', '--batch'),
          after: (output) => expect(output).toContain('audit'),
        },
      },
      async (command) => {
        const line = substitute(command, { NAME: 'daemon', 'STAGERD_STAGING=ID': `STAGERD_STAGING=${'0'.repeat(8)}` })
        const { exitCode, all } = await execa('bash', asUser(line), {
          cwd: directory,
          env: quiet,
          all: true,
          reject: false,
        })
        return { code: exitCode, output: all }
      },
    )
  },
  30 * MINUTES,
)

import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { runProcess } from '../../base/run-process.js'
import { furnish, install, stageSite, stagectl, systemctl, uninstall } from './support/installation.js'

/** It compiles a library. */
const MINUTES = 60_000
const SETTINGS = '/etc/stagerd/stagerd.toml'
let directory: string

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'stagerd-install-'))
  others = await files()
})

afterAll(async () => {
  await uninstall('--purge')
  await rm(directory, { recursive: true })
})

const isActive = async () => (await systemctl('is-active', 'stagerd.service')).stdout === 'active'
const linesOf = async (program: string, ...args: string[]) =>
  (await runProcess(program, args)).stdout.split('\n').filter((line) => line !== '')
/** What the machine itself has of such names. */
let others: readonly string[] = []
/** All files that an installation may have, and its data. */
const files = async () => {
  const found = await linesOf(
    'find',
    ...['/usr/local', '/etc', '/var/lib', '/run'],
    '-xdev',
    '-name',
    'stage[rc]*',
    '-not',
    '-path',
    '*/stagerd/*',
    // Root images have directories of such names.
    ...['/var/lib/docker/*', '/var/lib/containerd/*'].flatMap((images) => ['-not', '-path', images]),
  )
  return found.filter((file) => !others.includes(file))
}

it(
  'installs and starts the service, again without a loss, removes all but settings and data, and then those too',
  async () => {
    await install()
    expect(await isActive()).toBe(true)
    await furnish()
    await appendFile(SETTINGS, '\nconcurrency = 3\n')
    await stageSite('first', directory)
    const node = (await readFile('/var/lib/stagerd/node-id', 'utf8')).trim()

    await install()
    expect(await isActive()).toBe(true)
    expect(
      await linesOf('journalctl', '--unit=stagerd', '--output=cat', 'STAGERD_SETTINGS_CONCURRENCY=3'),
    ).toHaveLength(1)
    expect(JSON.parse((await stagectl('package', 'show', 'first', '--json')).stdout)).toMatchObject({ state: 'ready' })

    await uninstall()
    await uninstall()
    expect((await files()).sort()).toEqual(['/etc/stagerd', '/var/lib/stagerd'])
    await expect(systemctl('cat', 'stagerd.service')).rejects.toThrow()

    await install()
    await stageSite('second', directory)
    const images = ['image', 'ls', '--quiet', '--filter', `label=io.stagerd.node=${node}`]
    expect(await linesOf('docker', ...images)).not.toEqual([])
    await uninstall('--purge')
    await uninstall('--purge')
    expect(await files()).toEqual([])
    expect(await linesOf('docker', ...images)).toEqual([])
    expect(await readFile('/etc/group', 'utf8')).not.toMatch(/^stagerd:/m)
  },
  20 * MINUTES,
)

import { createInterface } from 'node:readline'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { execa } from 'execa'
import { request } from 'undici'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { runProcess } from '../../base/run-process.js'
import { CHECKOUT } from '../engine/support/private-daemon.js'
import { environment } from './support/installation.js'

/** It compiles a library, installs Docker, and has Debian made. */
const MINUTES = 60_000
/** What the host has for other tests, and the package has to bring along. */
const BROUGHT_ALONG = ['docker.io', 'containerd', 'runc', 'iptables', 'attr', 'bzip2', 'zstd', 'isal', 'pigz', 'debootstrap', 'make', 'g++'] // prettier-ignore

const apt = (...args: string[]) =>
  runProcess('apt-get', ['--yes', ...args], { env: { ...environment, DEBIAN_FRONTEND: 'noninteractive' } })

/** The commands of the first block below a heading of the README. */
async function commandsBelow(heading: string): Promise<readonly string[]> {
  const [, section = ''] = (await readFile(path.join(CHECKOUT, 'README.md'), 'utf8')).split(`\n## ${heading}\n`)
  return /^```\n([^]*?)^```$/m.exec(section)?.[1]?.trimEnd().split('\n') ?? []
}

/** Whoever follows the README says yes to apt. */
const asUser = (commands: string) => [
  '-euc',
  `sudo() { "$@"; }\napt-get() { command apt-get --yes "$@"; }\n${commands}`,
]

beforeAll(async () => {
  await apt('remove', ...BROUGHT_ALONG)
  await apt('update')
}, 10 * MINUTES)

afterAll(async () => {
  await apt('purge', 'stagerd')
})

it(
  'the words of the README install the package on a bare host, and stage and run a first application',
  async () => {
    await expect(runProcess('docker', ['version'])).rejects.toThrow()
    const commands = await commandsBelow('Install it')
    expect(commands.length).toBeGreaterThan(3)
    const run = commands.at(-1) ?? ''
    expect(run).toContain('stagectl run')
    const options = { cwd: CHECKOUT, env: { ...environment, DEBIAN_FRONTEND: 'noninteractive' } }
    await execa('bash', asUser(commands.slice(0, -1).join('\n')), options)

    const running = execa('bash', asUser(`exec ${run.replace('sudo ', '')}`), { ...options, all: true, reject: false })
    let address: string | undefined
    for await (const line of createInterface(running.all)) {
      address = /\d+\.\d+\.\d+\.\d+:\d+/.exec(line)?.[0]
      if (address !== undefined) break
    }
    await expect
      .poll(async () => (await request(`http://${address}/`).catch(() => undefined))?.statusCode, { timeout: MINUTES })
      .toBe(200)
    running.kill('SIGINT')
    await running
  },
  30 * MINUTES,
)

import { mkdir, readdir, readFile, symlink } from 'node:fs/promises'
import path from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { blockCommandsIn, commandsOf, missingFrom, scriptOf, sectionOf } from '../../support/document-commands.js'
import { expectToServe } from '../../support/serving-command.js'
import { expectNothingLeft, removeImages } from '../support/leftovers.js'
import { CHECKOUT, PrivateDaemon } from '../support/private-daemon.js'
import { recipeTarball } from '../support/tarballs.js'

let daemon: PrivateDaemon
beforeAll(async () => {
  daemon = await PrivateDaemon.start()
  // The document builds it, and finds it in the cache.
  await recipeTarball('busybox')
})

afterAll(async () => {
  await daemon.stop()
  await expectNothingLeft(daemon)
  await removeImages(daemon)
  await daemon.close()
})

/** A directory that has what a checkout has, and gets what the commands of a document write. */
async function checkoutFor(name: string): Promise<string> {
  const directory = path.join(daemon.directory, name)
  await mkdir(directory)
  for (const entry of ['images', 'examples', 'stagers', 'scripts', 'bin'])
    await symlink(path.join(CHECKOUT, entry), path.join(directory, entry))
  return directory
}

const environment = () => ({
  PATH: `${path.join(CHECKOUT, 'bin')}:${process.env['PATH'] ?? ''}`,
  STAGERD_SOCKET: daemon.socket,
  XDG_CONFIG_HOME: daemon.directory,
  XDG_CACHE_HOME: daemon.directory,
})

it('every command of docs/writing-stagers.md works, and shows what the document says', async () => {
  const blocks = await commandsOf(path.join(CHECKOUT, 'docs/writing-stagers.md'))
  expect(blocks.length).toBeGreaterThan(5)
  const cwd = await checkoutFor('tutorial')
  const separator = '@@ block @@'
  const { all, exitCode } = await execa('bash', ['--norc', '-c', scriptOf(blocks, separator)], {
    cwd,
    all: true,
    reject: false,
    timeout: 150_000,
    env: environment(),
  })
  expect(exitCode, all).toBe(0)
  const outputs = all.split(`${separator}\n`).slice(1)
  for (const [index, block] of blocks.entries())
    expect(missingFrom(outputs[index] ?? '', block), `${block.commands}\n${outputs[index] ?? ''}`).toEqual([])
  expect((await readdir(cwd)).sort()).toEqual(['bin', 'examples', 'images', 'scripts', 'stagers'])
  expect(await daemon.ask('GET', '/v1/packages')).toEqual([])
}, 180_000)

it('the first staging by hand of the README works, and its site answers', async () => {
  const readme = await readFile(path.join(CHECKOUT, 'README.md'), 'utf8')
  const [block = ''] = sectionOf(readme, 'A first staging by hand').split('```\n\n')
  const commands = blockCommandsIn(`${block}\`\`\`\n`).map((command) =>
    command.replaceAll('/tmp/', `${daemon.directory}/`),
  )
  // It is built, and runs.
  const [build, start, socket, ...rest] = commands
  expect([build, start, socket]).toEqual([
    'npm ci && npm run build',
    expect.stringMatching(/^sudo .\/bin\/stagerd --state-dir \S+ --socket \S+ --group .* &$/),
    `export STAGERD_SOCKET=${daemon.socket}`,
  ])
  const run = rest.pop() ?? ''
  expect(rest.length).toBeGreaterThan(3)
  const options = { cwd: CHECKOUT, env: environment() }
  const { all, exitCode } = await execa('bash', ['--norc', '-euc', ['sudo() { "$@"; }', ...rest].join('\n')], {
    ...options,
    all: true,
    reject: false,
  })
  expect(exitCode, all).toBe(0)
  await expectToServe(run, options)
}, 120_000)

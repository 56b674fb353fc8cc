import { mkdir, readdir, symlink } from 'node:fs/promises'
import path from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { commandsOf, missingFrom, scriptOf } from '../../support/document-commands.js'
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

it('every command of docs/writing-stagers.md works, and shows what the document says', async () => {
  const blocks = await commandsOf(path.join(CHECKOUT, 'docs/writing-stagers.md'))
  expect(blocks.length).toBeGreaterThan(5)
  const cwd = await checkoutFor('tutorial')
  const separator = '@@ block @@'
  const { all, exitCode } = await execa('bash', ['-c', scriptOf(blocks, separator)], {
    cwd,
    all: true,
    reject: false,
    timeout: 150_000,
    env: {
      PATH: `${path.join(CHECKOUT, 'bin')}:${process.env['PATH'] ?? ''}`,
      STAGERD_SOCKET: daemon.socket,
      XDG_CONFIG_HOME: daemon.directory,
      XDG_CACHE_HOME: daemon.directory,
    },
  })
  expect(exitCode, all).toBe(0)
  const outputs = all.split(`${separator}\n`).slice(1)
  for (const [index, block] of blocks.entries())
    expect(missingFrom(outputs[index] ?? '', block), `${block.commands}\n${outputs[index] ?? ''}`).toEqual([])
  expect((await readdir(cwd)).sort()).toEqual(['bin', 'examples', 'images', 'scripts', 'stagers'])
  expect(await daemon.ask('GET', '/v1/packages')).toEqual([])
}, 180_000)

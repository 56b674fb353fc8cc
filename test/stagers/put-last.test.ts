import { execFileSync } from 'node:child_process'
import { rm, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { describe, expect, it } from 'vitest'
import { directoryOf, namesIn, scratch } from '../support/small-trees.js'
import { LIBRARY } from '../support/stager-library.js'

const APPLICATION = {
  'app/node_modules/a/index.js': 'a',
  'app/node_modules/b/node_modules/c/index.js': 'c',
  'app/part/app/node_modules/own.js': 'own',
  'app/server.js': 'server',
  'app/z.js': 'z',
}

/** What the stager packs of `root`, where what is kept takes the place of app/node_modules if it is not there. */
async function packed(root: string, cache: string): Promise<Buffer> {
  const script = `
    source "$1/stager.sh"; source "$1/application.sh"
    if [[ -e $2/app/node_modules ]]; then keep node_modules key "$2/app/node_modules" "$2"; put_last app/node_modules
    else put_last app/node_modules "$(kept node_modules key)"; fi
    "$_stager_packer" "$2" -- app >"$3"
    : >"$_stager_dir/verdict"`
  const archive = join(await scratch(), 'data.tar')
  await execa('bash', ['--norc', '-c', script, 'bash', LIBRARY, root, archive], {
    env: { STAGER_URL: 'http://127.0.0.1:1/x', STAGER_CACHE: cache },
  })
  return execFileSync('cat', [archive])
}

describe('installed dependencies that are kept', () => {
  it('come into the data without being unpacked, which is then the same as with those that were just installed', async () => {
    const root = await directoryOf(APPLICATION)
    const cache = await scratch()
    const installed = await packed(root, cache)
    await rm(join(root, 'app/node_modules'), { recursive: true })
    await utimes(join(root, 'app'), 0, 0)
    const kept = await packed(root, cache)
    const unpacked = await scratch()
    execFileSync('tar', ['-x', '-C', unpacked], { input: kept })
    expect(await namesIn(unpacked)).toEqual(expect.arrayContaining(Object.keys(APPLICATION)))
    const list = (archive: Buffer) => execFileSync('tar', ['-tv', '--exclude=app/'], { input: archive }).toString()
    const withoutApp = (text: string) => text.split('\n').filter((line) => !line.endsWith(' app/'))
    expect(withoutApp(list(kept))).toEqual(withoutApp(list(installed)))
  })
})

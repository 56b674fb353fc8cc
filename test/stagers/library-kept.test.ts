import { chmod, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openCoordinator } from '../support/open-coordinator.js'
import { directoryOf, namesIn, scratch } from '../support/small-trees.js'
import { callLibrary, LANGUAGES, type Call, type Language } from '../support/stager-library.js'

const TREE = { 'lib/index.js': 'one', 'lib/bin/run': '#!/bin/sh' }

async function open(language: Language) {
  const coordinator = await openCoordinator()
  const cache = await scratch()
  const callWith = (base: string, ...calls: Call[]) =>
    callLibrary(language, { STAGER_URL: coordinator.url, STAGER_CACHE: cache, STAGER_BASE: base }, ...calls, ['finish'])
  const call = (...calls: Call[]) => callWith('base', ...calls)
  /** A directory that was kept, and the name under which. */
  const kept = async () => {
    const directory = join(await directoryOf(TREE), 'lib')
    await chmod(join(directory, 'bin/run'), 0o755)
    await symlink('index.js', join(directory, 'link'))
    expect(await call(['keep', 'modules', 'a key', directory])).toEqual({ exitCode: 0, output: '' })
    const [name = ''] = await readdir(cache)
    return { directory, name }
  }
  return { cache, call, callWith, kept }
}

describe.each(LANGUAGES)('what the library for stagers in $language keeps', (language) => {
  it('is there at the next staging, instead of what is in its place', async () => {
    const { call, kept } = await open(language)
    const { directory } = await kept()
    await rm(join(directory, 'index.js'))
    await writeFile(join(directory, 'other.js'), 'other')
    expect((await call(['restore', 'modules', 'a key', directory])).output).toBe('true\n')
    expect(await namesIn(directory)).toEqual(['bin', 'bin/run', 'index.js', 'link'])
    expect(await readFile(join(directory, 'link'), 'utf8')).toBe('one')
  })

  it('is not there under another name or key, or on other packages', async () => {
    const { call, callWith, kept } = await open(language)
    const { directory } = await kept()
    const { output } = await call(['restore', 'module', 'a key', directory], ['restore', 'modules', 'b key', directory])
    expect(output).toBe('false\nfalse\n')
    expect((await callWith('other', ['restore', 'modules', 'a key', directory])).output).toBe('false\n')
    expect(await namesIn(directory)).toContain('index.js')
  })

  it.each([
    ['cut short', (file: string) => truncate(file, 1000)],
    ['empty', (file: string) => truncate(file, 0)],
    [
      'changed',
      async (file: string) => writeFile(file, (await readFile(file, 'latin1')).replace('one', 'two'), 'latin1'),
    ],
  ])('is not there when it is %s, and is removed', async (_, damage) => {
    const { cache, call, kept } = await open(language)
    const { directory, name } = await kept()
    await damage(join(cache, name))
    expect((await call(['restore', 'modules', 'a key', directory])).output).toBe('false\n')
    expect(await readdir(cache)).toEqual([])
  })

  it('has at most three entries of a name, and one of each key', async () => {
    const { cache, call } = await open(language)
    const directory = join(await directoryOf(TREE), 'lib')
    const keys = ['1', '2', '3', '4', '4']
    for (const key of keys) await call(['keep', 'modules', key, directory])
    expect(await readdir(cache)).toHaveLength(3)
    expect((await call(['restore', 'modules', '4', directory])).output).toBe('true\n')
    expect((await call(['restore', 'modules', '1', directory])).output).toBe('false\n')
  })

  it('does not matter: a stager goes on where nothing can be kept', async () => {
    const { call, cache } = await open(language)
    expect(await call(['keep', 'modules', 'a key', '/nowhere/lib'])).toMatchObject({ exitCode: 0 })
    expect(await readdir(cache)).toEqual([])
    const { url } = await openCoordinator()
    const directory = join(await directoryOf(TREE), 'lib')
    const calls: Call[] = [
      ['keep', 'modules', 'a key', directory],
      ['restore', 'modules', 'a key', directory],
      ['finish'],
    ]
    expect(await callLibrary(language, { STAGER_URL: url }, ...calls)).toEqual({ exitCode: 0, output: 'false\n' })
  })
})

it('what one language has kept, another one restores', async () => {
  const [bash, ...others] = LANGUAGES
  const coordinator = await openCoordinator()
  const env = { STAGER_URL: coordinator.url, STAGER_CACHE: await scratch(), STAGER_BASE: 'base' }
  const directory = join(await directoryOf(TREE), 'lib')
  await callLibrary(bash!, env, ['keep', 'modules', 'a key', directory], ['finish'])
  for (const language of others) {
    const { url } = await openCoordinator()
    const ended = await callLibrary(
      language,
      { ...env, STAGER_URL: url },
      ['restore', 'modules', 'a key', directory],
      ['finish'],
    )
    expect(ended.output).toBe('true\n')
  }
})

import { chmod, mkdir, readdir, readFile, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { describe, expect, it } from 'vitest'
import { atTestEnd } from '../support/at-test-end.js'
import { openCoordinator } from '../support/open-coordinator.js'
import { directoryOf, namesIn, scratch } from '../support/small-trees.js'
import { callLibrary, LANGUAGES, type Call, type Language } from '../support/stager-library.js'

const TREE = { 'lib/index.js': 'one', 'lib/bin/run': '#!/bin/sh' }

/** What each language has kept of TREE: running its library again for each test would take seconds. */
const keptBefore = new Map<Language, { readonly name: string; readonly bytes: Buffer }>()

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
    const before = keptBefore.get(language)
    if (before) {
      await writeFile(join(cache, before.name), before.bytes)
      return { directory, name: before.name }
    }
    expect(await call(['keep', 'modules', 'a key', directory])).toEqual({ exitCode: 0, output: '' })
    const [name = ''] = await readdir(cache)
    keptBefore.set(language, { name, bytes: await readFile(join(cache, name)) })
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

  /** Puts something in the place of what was kept. */
  const replaced = async (file: string, put: (file: string) => Promise<unknown>) => {
    await rm(file)
    await put(file)
  }
  it.each([
    ['cut short', (file: string) => truncate(file, 1000)],
    ['empty', (file: string) => truncate(file, 0)],
    [
      'changed',
      async (file: string) => writeFile(file, (await readFile(file, 'latin1')).replace('one', 'two'), 'latin1'),
    ],
    ['changed in one bit', flipOneBit],
    ['a directory', (file: string) => replaced(file, (one) => mkdir(join(one, 'within'), { recursive: true }))],
    ['a link to nothing', (file: string) => replaced(file, (one) => symlink('/nowhere', one))],
    ['a link to a file without an end', (file: string) => replaced(file, (one) => symlink('/dev/zero', one))],
    ['a pipe', (file: string) => replaced(file, (one) => execa('mkfifo', [one]))],
  ])('is not there when it is %s, and is removed and kept again', async (_, damage) => {
    const { cache, call, kept } = await open(language)
    const { directory, name } = await kept()
    await damage(join(cache, name))
    expect(await call(['restore', 'modules', 'a key', directory])).toEqual({ exitCode: 0, output: 'false\n' })
    expect(await readdir(cache)).toEqual([])
    await call(['keep', 'modules', 'a key', directory])
    expect((await readdir(cache)).map(withoutDigest)).toEqual([withoutDigest(name)])
  })

  it('is not there when it is a link to a copy of itself: nothing is read through a link', async () => {
    const { cache, call, kept } = await open(language)
    const { directory, name } = await kept()
    const other = join(await scratch(), 'copy')
    await rename(join(cache, name), other)
    await symlink(other, join(cache, name))
    expect((await call(['restore', 'modules', 'a key', directory])).output).toBe('false\n')
  })

  it.each([
    ['a directory', (file: string) => mkdir(join(file, 'within'), { recursive: true })],
    ['a link to a file of somebody else', (file: string) => symlink(join(file, '../../outside'), file)],
  ])('is kept although %s is in its place, and nothing else is changed', async (_, put) => {
    const { cache, call, kept } = await open(language)
    const outside = join(cache, '../outside')
    atTestEnd(() => rm(outside, { force: true }))
    await writeFile(outside, 'of somebody else')
    const { directory, name } = await kept()
    await rm(join(cache, name))
    await put(join(cache, name))
    await call(['keep', 'modules', 'a key', directory])
    expect((await call(['restore', 'modules', 'a key', directory])).output).toBe('true\n')
    expect(await readFile(outside, 'utf8')).toBe('of somebody else')
  })

  it('has at most three entries of a name, and one of each key', async () => {
    const { cache, call } = await open(language)
    const directory = join(await directoryOf(TREE), 'lib')
    const keys = ['1', '2', '3', '4', '4']
    for (const key of keys) await call(['keep', 'modules', key, directory])
    expect(await readdir(cache)).toHaveLength(3)
    const { output } = await call(['restore', 'modules', '4', directory], ['restore', 'modules', '1', directory])
    expect(output).toBe('true\nfalse\n')
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

/** The digest of the data at the end depends on the times of the files. */
const withoutDigest = (name: string) => name.replace(/-[0-9a-f]{64}$/, '')

async function flipOneBit(file: string): Promise<void> {
  const bytes = await readFile(file)
  const middle = Math.floor(bytes.length / 2)
  bytes[middle] = (bytes[middle] ?? 0) ^ 1
  await writeFile(file, bytes)
}

import { chmod, mkdir, readdir, readFile, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { describe, expect, it } from 'vitest'
import { atTestEnd } from '../support/at-test-end.js'
import { openCoordinator } from '../support/open-coordinator.js'
import { directoryOf, namesIn, scratch } from '../support/small-trees.js'
import { callLibrary, LANGUAGES, type Call, type Language } from '../support/stager-library.js'

const TREE = { 'lib/index.js': 'one', 'lib/bin/run': '#!/bin/sh' }

/**
 * What each language has kept of TREE, and its file after the name by which it was kept: running its library again for each
 * test would take seconds.
 */
const keptBefore = new Map<Language, { readonly rest: string; readonly bytes: Buffer }>()

async function open(language: Language) {
  const coordinator = await openCoordinator()
  const cache = await scratch()
  const callWith = (base: string, ...calls: Call[]) =>
    callLibrary(language, { STAGER_URL: coordinator.url, STAGER_CACHE: cache, STAGER_BASE: base }, ...calls, ['finish'])
  const call = (...calls: Call[]) => callWith('base', ...calls)
  /** A directory that was kept by these names, and the first of its files. */
  const kept = async (names: readonly string[] = ['modules']) => {
    const directory = join(await directoryOf(TREE), 'lib')
    await chmod(join(directory, 'bin/run'), 0o755)
    await symlink('index.js', join(directory, 'link'))
    if (!keptBefore.has(language)) {
      expect(await call(['keep', 'modules', 'a key', directory])).toEqual({ exitCode: 0, output: '' })
      const [file = ''] = await readdir(cache)
      keptBefore.set(language, { rest: file.slice('modules'.length), bytes: await readFile(join(cache, file)) })
      await rm(join(cache, file))
    }
    const { rest, bytes } = keptBefore.get(language)!
    const files = names.map((name) => name + rest)
    for (const file of files) await writeFile(join(cache, file), bytes)
    return { directory, file: files[0]!, files }
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
  const damages: Readonly<Record<string, (file: string) => Promise<unknown>>> = {
    'cut-short': (file) => truncate(file, 1000),
    empty: (file) => truncate(file, 0),
    changed: async (file) => writeFile(file, (await readFile(file, 'latin1')).replace('one', 'two'), 'latin1'),
    'changed-in-one-bit': flipOneBit,
    'a-directory': (file) => replaced(file, (one) => mkdir(join(one, 'within'), { recursive: true })),
    'a-link-to-nothing': (file) => replaced(file, (one) => symlink('/nowhere', one)),
    'a-link-to-a-file-without-an-end': (file) => replaced(file, (one) => symlink('/dev/zero', one)),
    'a-pipe': (file) => replaced(file, (one) => execa('mkfifo', [one])),
  }
  it('is not there when it is damaged in any way, and is removed and kept again', async () => {
    const { cache, call, kept } = await open(language)
    const names = Object.keys(damages)
    const { directory, files } = await kept(names)
    for (const [index, damage] of Object.values(damages).entries()) await damage(join(cache, files[index]!))
    const restored = await call(...names.map((name): Call => ['restore', name, 'a key', directory]))
    expect(restored).toEqual({ exitCode: 0, output: names.map(() => 'false\n').join('') })
    expect(await readdir(cache)).toEqual([])
    await call(...names.map((name): Call => ['keep', name, 'a key', directory]))
    expect((await readdir(cache)).map(withoutDigest).sort()).toEqual(files.map(withoutDigest).sort())
  })

  it('is not there when it is a link to a copy of itself: nothing is read through a link', async () => {
    const { cache, call, kept } = await open(language)
    const { directory, file } = await kept()
    const other = join(await scratch(), 'copy')
    await rename(join(cache, file), other)
    await symlink(other, join(cache, file))
    expect((await call(['restore', 'modules', 'a key', directory])).output).toBe('false\n')
  })

  it('is kept although a directory or a link is in its place, and nothing else is changed', async () => {
    const { cache, call, kept } = await open(language)
    const outside = join(cache, '../outside')
    atTestEnd(() => rm(outside, { force: true }))
    await writeFile(outside, 'of somebody else')
    const names = ['directory', 'link']
    const { directory, files } = await kept(names)
    await replaced(join(cache, files[0]!), (file) => mkdir(join(file, 'within'), { recursive: true }))
    await replaced(join(cache, files[1]!), (file) => symlink(outside, file))
    await call(...names.map((name): Call => ['keep', name, 'a key', directory]))
    const { output } = await call(...names.map((name): Call => ['restore', name, 'a key', directory]))
    expect(output).toBe('true\ntrue\n')
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

import { execFileSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { Detection } from '../../daemon/documents/detection.js'
import type { Pipeline } from '../../daemon/documents/pipeline.js'
import type { Staging } from '../../daemon/documents/staging.js'
import { zipOf } from '../support/zip-builder.js'
import { RealApi } from './support/real-api.js'
import { writeTree, type Tree } from './support/workspace.js'

// The client and the control API together: the client reads the source, and the daemon decides.

let real: RealApi
beforeAll(async () => {
  real = await RealApi.open()
  await real.addStager('/apcera', 'any')
  for (const name of ['java', 'nodejs', 'static-site']) await real.addPipeline('/apcera', name, 'job::/apcera::any')
})
afterAll(() => real.close())

let sources = 0
const source = (tree: Tree) => writeTree(path.join(real.root, `source-${(sources += 1)}`), tree)
const detected = async (tree: Tree, ...more: string[]) => {
  const { code, io } = await real.run(['detect', await source(tree), '--json', ...more])
  expect(code).toBe(0)
  return io.document() as Detection
}
const jar = (manifest: string) =>
  zipOf(
    [
      ['Main.class', 'x'],
      ['META-INF/MANIFEST.MF', manifest],
    ],
    true,
  )

describe('stagectl detect', () => {
  test('explains every pipeline in a table', async () => {
    const { code, io } = await real.run([
      'detect',
      await source({ Gemfile: '', 'package.json': '{}', 'index.html': '' }),
    ])
    expect(code).toBe(0)
    const lines = io.out.split('\n').map((line) => line.split(/ {2,}/).slice(0, 3).join(' | '))
    expect(lines).toEqual([
      'PIPELINE | VERDICT | BECAUSE',
      'bash (does not exist) | passed over | none of its signs is there',
      'stagpipe::/apcera::java | passed over | none of its signs is there',
      'ruby (does not exist) | taken | Gemfile is there',
      'python (does not exist) | passed over | none of its signs is there',
      'php (does not exist) | passed over | none of its signs is there',
      'go (does not exist) | passed over | none of its signs is there',
      'perl (does not exist) | passed over | none of its signs is there',
      'stagpipe::/apcera::nodejs | passed over | ruby comes first, although package.json is there',
      'stagpipe::/apcera::static-site | passed over | ruby comes first, although index.html is there',
      'docker (does not exist) | passed over | no directory has its sign: it stages images, by `stagectl stage --image`',
      'compiler (does not exist) | passed over | no directory has its sign: it builds packages from build scripts, by `stagectl package build`',
      '',
      'ruby fits, but does not exist: make it with `stagectl bootstrap ruby`, or give another one with --pipeline.',
      '',
    ])
  })

  test('says with --json what would be used', async () => {
    expect(await detected({ 'package.json': '{}' })).toMatchObject({ pipeline: 'stagpipe::/apcera::nodejs' })
    expect(await detected({ 'README.md': '' })).not.toHaveProperty('pipeline')
    expect(await detected({})).not.toHaveProperty('pipeline')
  })

  test('sees only what would be uploaded', async () => {
    expect(await detected({ 'package.json': '{}', 'index.html': '', '.apcignore': '/package.json\n' })).toMatchObject({
      pipeline: 'stagpipe::/apcera::static-site',
    })
    expect(await detected({ 'package.json/x': '', 'index.html': '' })).toMatchObject({
      pipeline: 'stagpipe::/apcera::static-site',
    })
  })

  test('reads what the daemon wants to know of Java programs', async () => {
    const java = { pipeline: 'stagpipe::/apcera::java' }
    expect(await detected({ 'Main.java': 'class Main { static void main(String[] a) {} }' })).toMatchObject(java)
    expect(await detected({ 'Util.java': 'class Util {}' })).not.toHaveProperty('pipeline')
    expect(await detected({ 'Util.java': 'class Util {}', 'index.html': '' })).toMatchObject({
      pipeline: 'stagpipe::/apcera::static-site',
    })
    const directory = await source({ 'notes.txt': '' })
    await writeFile(path.join(directory, 'app.jar'), await jar('Manifest-Version: 1.0\nMain-Class: Main\n'))
    expect((await real.run(['detect', directory, '--json'])).io.document()).toMatchObject(java)
    await writeFile(path.join(directory, 'app.jar'), await jar('Manifest-Version: 1.0\n'))
    expect((await real.run(['detect', directory])).io.out).toContain('app.jar names no Main-Class in its manifest')
  })

  test('takes a script for the page beside it as no program', async () => {
    const page = { 'index.html': '<script src="app.js"></script>' }
    const site = await detected({ ...page, 'app.js': 'document.title = 1', 'main.js': 'window.x = 1' })
    expect(site.pipeline).toBe('stagpipe::/apcera::static-site')
    const server = await detected({ ...page, 'app.js': 'document.title = 1', 'main.js': "require('http')" })
    expect(server.pipeline).toBe('stagpipe::/apcera::nodejs')
  })

  test('is not kept by a pipe, a link, or a damaged archive that looks like a program', async () => {
    const directory = await source({
      'Link.java': '-> /etc/passwd',
      'Gone.java': '-> nowhere',
      'damaged.jar': 'PK\x03\x04',
    })
    execFileSync('mkfifo', [path.join(directory, 'Pipe.java')])
    const { code, io } = await real.run(['detect', directory, '--json'])
    expect(code).toBe(0)
    expect(io.document()).not.toHaveProperty('pipeline')
  })

  test.each([
    ['app.war', 'stagpipe::/apcera::java'],
    ['APP.EAR', 'stagpipe::/apcera::java'],
    ['app.jar', 'stagpipe::/apcera::java'],
  ])('takes %s as a directory that holds this file', async (name, pipeline) => {
    const file = path.join(real.root, name)
    await writeFile(file, await jar('Main-Class: Main\n'))
    expect((await real.run(['detect', file, '--json'])).io.document()).toMatchObject({ pipeline })
  })

  test.each([
    ['nowhere', 'There is no "nowhere"'],
    ['site.tar', 'no pipeline is detected for other archives'],
  ])('%s is refused', async (argument, message) => {
    await writeFile(path.join(real.root, 'site.tar'), '')
    const { code, io } = await real.run(['detect', argument])
    expect(code).toBe(4)
    expect(io.err).toContain(message)
  })
})

describe('stagectl stage', () => {
  const stage = async (tree: Tree, ...more: string[]) => real.run(['stage', await source(tree), '--detach', ...more])

  test('says what it saw, what it chose, and what else would be possible', async () => {
    const { code, io } = await stage({ 'package.json': '{}', 'index.html': '' })
    expect(code).toBe(0)
    expect(io.err).toContain(
      [
        'The pipeline is stagpipe::/apcera::nodejs, because package.json is there.',
        'Another one would be possible: index.html fits static-site (--pipeline stagpipe::/apcera::static-site).\n',
      ].join('\n'),
    )
    const { document } = await real.api.ask<Staging>('GET', `/v1/stagings/${io.out.trim()}`)
    expect(document.pipeline).toBe('stagpipe::/apcera::nodejs')
  })

  test('shows names of files without their control characters', async () => {
    const { code, io } = await stage({ 'x\x1b]0;title\x07\n.php': '', 'package.json': '{}' })
    expect(code).toBe(4)
    expect(io.err).toContain('x\\x1b]0;title\\x07\\x0a.php requires the pipeline php')
  })

  test('says nothing of it when the pipeline is given', async () => {
    const { code, io } = await stage({ 'package.json': '{}', 'index.html': '' }, '--pipeline', 'static-site')
    expect(code).toBe(0)
    expect(io.err).not.toContain('The pipeline is')
  })

  test('refuses a source whose pipeline does not exist, and takes no other one for it', async () => {
    const { code, io } = await stage({ Gemfile: '', 'package.json': '{}' })
    expect(code).toBe(4)
    expect(io.err).toBe(
      [
        'stagectl: Gemfile requires the pipeline ruby, which is neither in / nor in /apcera; package.json fits nodejs (--pipeline stagpipe::/apcera::nodejs): make it with `stagectl bootstrap ruby`, or give one with --pipeline. Available pipelines:',
        ...['java', 'nodejs', 'static-site'].map((name) => `  stagpipe::/apcera::${name}`),
        '',
      ].join('\n'),
    )
  })

  test('refuses a source without any sign, and tells one that lies a directory below', async () => {
    const none = await stage({ 'main.c': '' })
    expect(none.code).toBe(4)
    expect(none.io.err).toContain('No pipeline can be detected from the files of the source: give one with --pipeline')
    const below = await stage({ 'app-main/package.json': '{}' })
    expect(below.io.err).toContain('which holds only "app-main/": give that directory, or give one with --pipeline.')
  })
})

describe('signs of an own pipeline', () => {
  test('are given, shown, listed, changed, and found first', async () => {
    const own = (...argv: string[]) => real.run([...argv, '--namespace', '/acme'])
    onTestFinished(async () => void (await own('pipeline', 'delete', 'deno', '--batch')))
    const made = await own('pipeline', 'create', 'deno', '/apcera::any', '--sign', 'deno.json', '--sign', '*.tf')
    expect(made.io.out).toBe('Created stagpipe::/acme::deno: job::/apcera::any, for sources with deno.json, *.tf.\n')
    expect((await own('pipeline', 'show', 'deno')).io.out).toContain('Signs:')
    expect((await own('pipeline', 'list')).io.out).toMatch(
      /stagpipe::\/acme::deno +job::\/apcera::any +deno\.json \*\.tf\n/,
    )
    const tree = { 'deno.json': '{}', 'package.json': '{}' }
    expect((await detected(tree, '--namespace', '/acme')).pipeline).toBe('stagpipe::/acme::deno')
    expect((await detected(tree)).pipeline).toBe('stagpipe::/apcera::nodejs')
    const changed = await own('pipeline', 'update', 'deno', '--sign-remove', 'deno.json', '--sign-add', 'x/', '--json')
    expect((changed.io.document() as Pipeline).signs).toEqual(['*.tf', 'x/'])
    expect((await detected(tree, '--namespace', '/acme')).pipeline).toBe('stagpipe::/apcera::nodejs')
  })

  test.each([
    [
      ['pipeline', 'create', 'bad', '/apcera::any', '--sign', 'src/main.rs'],
      4,
      'only entries at the top of a source are signs',
    ],
    [['pipeline', 'create', 'bad', '/apcera::any', '--sign', '*'], 4, 'it matches every source'],
    [['pipeline', 'update', 'bad'], 2, 'There is nothing to change: give --sign-add or --sign-remove.'],
  ])('%j is refused', async (argv, expected, message) => {
    const { code, io } = await real.run(argv)
    expect(code).toBe(expected)
    expect(io.err).toContain(message)
  })
})

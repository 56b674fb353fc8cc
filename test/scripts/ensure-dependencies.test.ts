import { chmod, cp, mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { execa } from 'execa'
import { afterEach, beforeEach, expect, test } from 'vitest'

const SCRIPTS = path.resolve(import.meta.dirname, '../../scripts/lib')

const LOADS = 'close() {}'
const IS_MISSING = `constructor() { throw new Error('Could not locate the bindings file. Tried:\\n one\\n two') }`
const IS_FOR_ANOTHER_NODE = `constructor() {
  throw Object.assign(new Error('The module\\nwas compiled against a different Node.js version'), {
    code: 'ERR_DLOPEN_FAILED',
  })
}`

let root: string

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'stagerd-dependencies-'))
  await cp(SCRIPTS, path.join(root, 'scripts/lib'), { recursive: true })
  await writeFile(path.join(root, 'package.json'), '{ "type": "module" }')
  await writeFile(path.join(root, 'package-lock.json'), '{}')
  await mkdir(path.join(root, 'bin'))
})

afterEach(async () => {
  await rm(root, { recursive: true })
})

async function install(database: string, directory = path.join(root, 'node_modules')): Promise<void> {
  await mkdir(path.join(directory, 'better-sqlite3'), { recursive: true })
  await writeFile(path.join(directory, '.package-lock.json'), '{}')
  await writeFile(path.join(directory, 'better-sqlite3/package.json'), '{ "main": "index.js" }')
  await writeFile(path.join(directory, 'better-sqlite3/index.js'), `module.exports = class { ${database} }`)
}

/**
 * Puts a fake npm into PATH that exits with 0: `npm ci` installs a better-sqlite3 without its native library, and
 * `npm rebuild` one with this class.
 */
async function fakeNpm(database: string): Promise<void> {
  await install(IS_MISSING, path.join(root, 'ci'))
  await install(database, path.join(root, 'rebuild'))
  const npm = path.join(root, 'bin/npm')
  await writeFile(npm, '#!/bin/sh\necho "npm $*"\nrm -rf node_modules\ncp -R "$1" node_modules\n')
  await chmod(npm, 0o755)
}

/** With the commands of npm, and their options for install scripts. */
async function ensureDependencies(): Promise<{ exitCode: number | undefined; npm: string[]; stderr: string }> {
  const { exitCode, stdout, stderr } = await execa(
    'bash',
    ['-euc', 'source "$root/scripts/lib/host.sh"; ensure_compiler() { :; }; ensure_dependencies'],
    // bash reads the user's bashrc where its standard input is a socket, as a pipe of Node.js is.
    { stdin: 'ignore', env: { root, PATH: `${root}/bin:${process.env.PATH}` }, reject: false },
  )
  const npm = [...stdout.matchAll(/^npm (.*)$/gm)].map(([, args = '']) =>
    args.replaceAll(/--(?!ignore)\S+ ?/g, '').trim(),
  )
  return { exitCode, npm, stderr }
}

// Of all install scripts, only that of the native library runs.
const INSTALL = 'ci --ignore-scripts'
const BUILD = 'rebuild --ignore-scripts=false better-sqlite3'

test('a working installation is kept', async () => {
  await fakeNpm(LOADS)
  await install(LOADS)
  expect(await ensureDependencies()).toEqual({ exitCode: 0, npm: [], stderr: '' })
})

test('npm installs when nothing is installed, and when the lock file is newer', async () => {
  await fakeNpm(LOADS)
  expect(await ensureDependencies()).toEqual({ exitCode: 0, npm: [INSTALL, BUILD], stderr: '' })
  await utimes(path.join(root, 'node_modules/.package-lock.json'), 0, 0)
  expect(await ensureDependencies()).toEqual({ exitCode: 0, npm: [INSTALL, BUILD], stderr: '' })
  expect(await ensureDependencies()).toEqual({ exitCode: 0, npm: [], stderr: '' })
})

test.each([
  ['missing', IS_MISSING],
  ['for another Node.js', IS_FOR_ANOTHER_NODE],
])('only the native library is installed again when it is %s', async (_, database) => {
  await fakeNpm(LOADS)
  await install(database)
  expect(await ensureDependencies()).toEqual({ exitCode: 0, npm: [BUILD], stderr: '' })
})

test.each([
  ['missing', IS_MISSING, 'it is missing'],
  ['for another Node.js', IS_FOR_ANOTHER_NODE, 'The module was compiled against a different Node.js version'],
])(
  'the script fails with one sentence when the native library is %s after the installation',
  async (_, database, reason) => {
    await fakeNpm(database)
    const { exitCode, npm, stderr } = await ensureDependencies()
    expect({ exitCode, npm }).toEqual({ exitCode: 1, npm: [INSTALL, BUILD] })
    expect(stderr).toMatch(
      /^Node\.js v[\d.]+ \(.+\) cannot load the native library of better-sqlite3: run "npm ci" .*\.$/,
    )
    expect(stderr).toContain(`(${reason})`)
  },
)

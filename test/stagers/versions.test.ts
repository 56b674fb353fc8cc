import path from 'node:path'
import { execa } from 'execa'
import { describe, expect, it } from 'vitest'
import { openCoordinator } from '../support/open-coordinator.js'

const LIBRARY = path.resolve(import.meta.dirname, '../../stagers/lib/versions.sh')

const SHIPPED = capabilities(`
  node-24.22.3 node-22.22.0 node-20.20.2 node-18.20.8 go-1.19 java-17 perl-5.36 php-8.2 php-fpm-8.2 python-3.11 ruby-3.1`)

/** What the packages of these runtimes provide, as STAGER_RUNTIMES has it. */
function capabilities(runtimes: string): string {
  const provided = runtimes
    .trim()
    .split(/\s+/)
    .flatMap((runtime) => {
      const [, stem = '', version = ''] = /^(.*)-([\d.]+)$/.exec(runtime) ?? []
      const numbers = version.split('.')
      return [stem, ...numbers.map((_number, index) => `${stem}-${numbers.slice(0, index + 1).join('.')}`)]
    })
  return [...new Set(provided)].map((name) => `runtime.${name}`).join(' ')
}

/** What choose_runtime prints. */
async function choose(name: string, range: string, there = SHIPPED): Promise<string> {
  const script = 'set -euo pipefail; source "$1"; shift; choose_runtime "$@" || true'
  const { stdout, stderr } = await execa('bash', ['--norc', '-c', script, 'bash', LIBRARY, name, range], {
    env: { STAGER_RUNTIMES: there },
  })
  expect(stderr).toBe('')
  return stdout
}

describe('choose_runtime', () => {
  it.each([
    // The beginning of the range is not there.
    ['node', '^16 || ^20', 'node-20'],
    ['node', '>=16 <19', 'node-18'],
    ['node', '>=16', 'node-24'],
    ['node', '16 - 18', 'node-18'],
    ['node', '18.x', 'node-18'],
    ['node', 'v18', 'node-18'],
    ['node', '>18 <=20', 'node-20'],
    ['node', '~18.20', 'node-18'],
    ['node', '>=20.0.0-rc.1 <21', 'node-20'],
    ['node', 'lts/hydrogen', 'node-18'],
    ['ruby', `"~> 3.0", '>= 3.0.2'`, 'ruby-3.1'],
    ['ruby', '>= 2.7', 'ruby-3.1'],
    ['python', '>=3.8,<4.0,!=3.9.*', 'python-3.11'],
    ['python', '~=3.8', 'python-3.11'],
    ['python', '==3.*', 'python-3.11'],
    ['python', '^3.9', 'python-3.11'],
    ['php', '^7.4|^8.1', 'php-8.2'],
    ['php', '8.*', 'php-8.2'],
    ['php', '>=7.4 <9', 'php-8.2'],
    ['php', '~8.0', 'php-8.2'],
    ['php', '^8.1@stable', 'php-8.2'],
    ['php-fpm', '^8', 'php-fpm-8.2'],
    ['go', '>=1.9', 'go-1.19'],
    ['java', '>=11', 'java-17'],
    ['java', '17.0.2', 'java-17'],
    ['perl', '5.36.0', 'perl-5.36'],
  ])('gives %s for "%s" %s', async (name, range, chosen) => {
    expect(await choose(name, range)).toBe(`runtime.${chosen}`)
  })

  it.each([
    ['node', '16'],
    ['node', '>24'],
    ['node', '^16 || ^19'],
    ['node', '0.10.x'],
    ['ruby', '~> 3.0.1'],
    ['python', '>=3.12'],
    ['python', '>=3.9,!=3.11.*'],
    ['php', '^7.4 || ^5'],
    ['go', '>=1.22'],
    ['java', '1.8'],
  ])('refuses %s "%s", for which nothing fits', async (name, range) => {
    expect(await choose(name, range)).toBe('')
  })

  it.each(['', '*', 'latest', 'lts/*', '>=18 || *'])('leaves the version to policy for "%s"', async (range) => {
    expect(await choose('node', range)).toBe('runtime.node')
  })

  it('takes the first that fits, which need not be the newest', async () => {
    const there = 'runtime.node-20 runtime.node-24 runtime.node-18'
    expect(await choose('node', '>=16', there)).toBe('runtime.node-20')
    expect(await choose('node', '>=22', there)).toBe('runtime.node-24')
  })

  it('names a version as exactly as is necessary', async () => {
    const there = capabilities('node-20.19.1 node-20.9.0')
    expect(await choose('node', '>=20', there)).toBe('runtime.node-20')
    expect(await choose('node', '>=20.10', there)).toBe('runtime.node-20.19')
  })

  it('prefers a version in the range to another one of its series', async () => {
    expect(await choose('node', '>=18 <20.5', capabilities('node-20.9.0 node-18.1.0'))).toBe('runtime.node-18')
    expect(await choose('node', '>=20 <20.5', capabilities('node-20.9.0 node-18.1.0'))).toBe('runtime.node-20')
  })

  it('asks for the only possible series, or for any, where the versions are not known', async () => {
    expect(await choose('node', '^18.2', '')).toBe('runtime.node-18')
    expect(await choose('node', '>=16', 'runtime.python-3.11')).toBe('runtime.node')
    expect(await choose('ruby', '~> 3.1.2', '')).toBe('runtime.ruby-3.1')
    expect(await choose('java', '1.8', '')).toBe('runtime.java-8')
  })
})

describe('want_runtime', () => {
  /** An application whose .nvmrc asks for a version, on a runtime that prints one. */
  async function stage(given: string, { range = '18', runs = '20.1.0', added = '', there = SHIPPED } = {}) {
    const { url, handler } = await openCoordinator()
    const dependencies = given.split(' ').filter((name) => name !== '')
    handler.meta = {
      ...handler.meta,
      environment: added === '' ? {} : { STAGER_ADDED: added },
      dependencies: dependencies.map((name) => ({ type: 'runtime' as const, name })),
    }
    const script = `source "$0/stager.sh"; source "$0/application.sh"; in_stagerfs() { echo "v${runs}"; }
      want_runtime node "${range}" .nvmrc node --version; finish`
    const { all } = await execa('bash', ['--norc', '-c', script, path.dirname(LIBRARY)], {
      env: { STAGER_URL: url, STAGER_RUNTIMES: there },
      reject: false,
      all: true,
    })
    return { output: all, calls: handler.calls, handler }
  }

  it('lets a runtime that the user gave go over the file', async () => {
    expect((await stage('node-20')).output).toBe(
      '-----> Using node 20.1.0, which the package depends on, although .nvmrc asks for "18"',
    )
  })

  it('lets the file go over what a stager has chosen before', async () => {
    const { calls, output } = await stage('node-20', { added: 'runtime.node-20' })
    expect(output).toContain('.nvmrc asks for node "18"')
    expect(calls.at(-1)).toBe('verdict relaunch')
  })

  it('needs one relaunch for a version that is not the first in the range', async () => {
    const range = '^16 || ^20'
    const first = await stage('', { range })
    expect(first.calls.at(-1)).toBe('verdict relaunch')
    expect(first.handler.meta.dependencies).toEqual([{ type: 'runtime', name: 'node-20' }])
    const second = await stage('node-20', { range, added: 'runtime.node-20' })
    expect(second.output).toBe('-----> Using node 20.1.0 for "^16 || ^20" in .nvmrc')
    expect(second.calls.at(-1)).toBe('verdict done')
  })

  it('fails at once if nothing fits, and names the versions that are there', async () => {
    const { output, calls } = await stage('', { range: '^16 || ^19' })
    expect(output).toBe(
      '.nvmrc asks for node "^16 || ^19", and there is node 18, 20, 22, 24: change .nvmrc, or choose one with --runtime node-VERSION.',
    )
    expect(calls.at(-1)).toBe('verdict failed')
  })

  it('looks at the version where it does not know those that are there', async () => {
    const any = { range: '>=16', there: '' }
    expect((await stage('', any)).handler.meta.dependencies).toEqual([{ type: 'runtime', name: 'node' }])
    const known = { ...any, added: 'runtime.node' }
    expect((await stage('node', { ...known, runs: '18.1.0' })).calls.at(-1)).toBe('verdict done')
    expect((await stage('node', { ...known, runs: '14.1.0' })).output).toBe(
      '.nvmrc asks for node ">=16", and there is node 14.1.0: change .nvmrc, or choose another with --runtime node-VERSION.',
    )
  })

  it('understands a runtime that prints one number, as a new Java does', async () => {
    expect((await stage('node-20', { range: '20', runs: '20' })).output).toBe('-----> Using node 20 for "20" in .nvmrc')
  })
})

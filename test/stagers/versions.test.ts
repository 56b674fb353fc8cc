import path from 'node:path'
import { execa } from 'execa'
import { describe, expect, it } from 'vitest'
import { openCoordinator } from '../support/open-coordinator.js'

const LIBRARY = path.resolve(import.meta.dirname, '../../stagers/lib/versions.sh')

/** Calls a function of the library, and gives what it prints and whether it succeeded. */
async function call(name: string, ...args: readonly string[]) {
  const script = 'set -euo pipefail; source "$1"; shift; "$@"'
  const { stdout, stderr, exitCode } = await execa('bash', ['-c', script, 'bash', LIBRARY, name, ...args], {
    reject: false,
  })
  expect(stderr).toBe('')
  return { stdout, succeeded: exitCode === 0 }
}

describe('version_fits', () => {
  it.each([
    ['18.19.0', ''],
    ['18.19.0', '*'],
    ['18.19.0', 'latest'],
    ['18.19.0', '18'],
    ['18.19.0', '18.x'],
    ['18.19.0', 'v18.19.0'],
    ['18.19.0', '>=18'],
    ['18.19.0', '>= 16 <19'],
    ['18.19.0', '16 - 18'],
    ['18.19.0', '^16 || ^18.2'],
    ['18.19.0', 'lts/hydrogen'],
    ['24.22.3', 'lts/krypton'],
    ['3.1.2', '"~> 3.0"'],
    ['3.1.2', "'>= 2.7', '< 4'"],
    ['3.11.2', '>=3.8,<4.0,!=3.9.*'],
    ['3.11.2', '==3.11.*'],
    ['3.11.2', '~=3.8'],
    ['8.2.20', '^7.4|^8.1'],
    ['8.2.20', '~8.1'],
    ['1.19.8', '>=1.9'],
  ])('takes %s for "%s"', async (version, range) => {
    expect((await call('version_fits', version, range)).succeeded).toBe(true)
  })

  it.each([
    ['18.19.0', '20'],
    ['18.19.0', '>18'],
    ['18.19.0', '>=20'],
    ['18.1.0', '^18.2.0'],
    ['20.1.0', '>= 16 <19'],
    ['20.1.0', '16 - 18'],
    ['3.1.2', '~> 3.0.1'],
    ['3.9.1', '>=3.8,!=3.9.*'],
    ['8.2.20', '^7.4 || ^5'],
    ['1.19.8', '>=1.22'],
  ])('refuses %s for "%s"', async (version, range) => {
    expect((await call('version_fits', version, range)).succeeded).toBe(false)
  })
})

describe('series_of', () => {
  it.each([
    ['node', '^18.2', '18'],
    ['node', 'v18.3.1', '18'],
    ['node', '18.x', '18'],
    ['node', 'lts/iron', '20'],
    ['ruby', '3.1.4', '3.1'],
    ['ruby', '"~> 3.1.2"', '3.1'],
    ['python', '3.11', '3.11'],
    ['java', '1.8', '8'],
    ['java', '17.0.2', '17'],
  ])('names the only series that %s "%s" can mean: %s', async (name, range, series) => {
    expect(await call('series_of', name, range)).toEqual({ stdout: series, succeeded: true })
  })

  it.each([
    ['node', '>=16'],
    ['node', '>=16 <19'],
    ['node', '16 || 18'],
    ['ruby', '~> 3.0'],
    ['python', '>=3.8'],
    ['node', ''],
  ])('names none where several can be meant: %s "%s"', async (name, range) => {
    expect(await call('series_of', name, range)).toEqual({ stdout: '', succeeded: true })
  })
})

describe('want_runtime', () => {
  /** An application whose .nvmrc asks for a version, on a runtime that prints one. */
  async function stage(given: string, { range = '18', runs = '20.1.0', added = '' } = {}) {
    const { url, handler } = await openCoordinator()
    const dependencies = given.split(' ').filter((name) => name !== '')
    handler.meta = {
      ...handler.meta,
      environment: added === '' ? {} : { STAGER_ADDED: added },
      dependencies: dependencies.map((name) => ({ type: 'runtime' as const, name })),
    }
    const script = `source "$0/stager.sh"; source "$0/application.sh"; in_stagerfs() { echo "v${runs}"; }
      want_runtime node "${range}" .nvmrc node --version; finish`
    const { all } = await execa('bash', ['-c', script, path.dirname(LIBRARY)], {
      env: { STAGER_URL: url },
      reject: false,
      all: true,
    })
    return { output: all, calls: handler.calls }
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
})

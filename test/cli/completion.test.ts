import { execFile } from 'node:child_process'
import { chmod, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { completionScript } from '../../cli/completion/scripts.js'
import { aPackage, aPipeline, aStaging, STAGING_ID } from './support/documents.js'
import { useHarness } from './support/harness.js'

const harness = useHarness()
const run = promisify(execFile)

/** The words that may stand in place of the last one. */
const completions = async (...words: readonly string[]) => {
  const { io, code } = await harness().run('__complete', '--', ...words)
  expect([code, io.err]).toEqual([0, ''])
  return io.out
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split('\t')[0])
}

describe('completion', () => {
  test('knows commands, and commands of groups', async () => {
    expect(await completions('')).toEqual(expect.arrayContaining(['stage', 'package', 'node', 'completion']))
    expect(await completions('sta')).not.toContain('__complete')
    expect(await completions('node', '')).toEqual(expect.arrayContaining(['status', 'doctor', 'gc']))
    expect(await completions('stager', 'cache', '')).toEqual(expect.arrayContaining(['list', 'clear']))
  })

  test('knows the options of a command, and those of all commands', async () => {
    expect(await completions('stage', '.', '--')).toEqual(expect.arrayContaining(['--pipeline', '--output', '--json']))
    expect(await completions('node', 'gc', '-')).toEqual(expect.arrayContaining(['--dry-run', '--socket']))
  })

  test('leaves files to the shell', async () => {
    expect(await completions('stage', '')).toEqual([':files'])
    expect(await completions('package', 'export', 'app', '--file', '')).toEqual([':files'])
    expect(await completions('package', 'from-file', '')).toEqual([':files'])
  })

  test('knows the values of an argument that has a choice', async () => {
    expect(await completions('completion', '')).toEqual(['bash', 'zsh', 'fish'])
  })

  test.each([
    { words: ['package', 'show', ''], route: 'GET /v1/packages' },
    { words: ['package', 'export', 'one', ''], route: 'GET /v1/packages' },
    { words: ['run', ''], route: 'GET /v1/packages' },
    { words: ['staging', 'list', '--package', ''], route: 'GET /v1/packages' },
  ])('asks the daemon for packages after $words', async ({ words, route }) => {
    const fqns = ['package::/apcera/pkg/os::debian-12', 'package::/apcera::shared', 'package::/::mine']
    harness().api.on(route, () => fqns.map((fqn) => aPackage({ fqn })))
    expect(await completions(...words)).toEqual(['/apcera/pkg/os::debian-12', 'shared', 'mine'])
  })

  test('asks the daemon for pipelines and stagings', async () => {
    harness()
      .api.on('GET /v1/stagingpipelines', () => [aPipeline({ fqn: 'stagpipe::/apcera::nodejs' })])
      .on('GET /v1/stagings', () => [aStaging()])
    expect(await completions('stage', '.', '--pipeline', '')).toEqual(['nodejs'])
    expect(await completions('pipeline', 'delete', '')).toEqual(['nodejs'])
    expect(await completions('staging', 'logs', '')).toEqual([STAGING_ID])
  })

  test('knows no names without a daemon, and says nothing about it', async () => {
    await harness().api.close()
    expect(await completions('package', 'show', '')).toEqual([])
  })

  test('of a new name offers nothing', async () => {
    expect(await completions('pipeline', 'create', '')).toEqual([])
  })

  test('completes in bash what begins like the word', async () => {
    const { root } = harness()
    const program = path.join(root, 'stagectl')
    await writeFile(
      program,
      `#!/bin/sh\nprintf 'status\\tShow it.\\ndoctor\\t\\nstart\\t\\n'\necho "$*" >${root}/asked\n`,
    )
    await chmod(program, 0o755)
    await writeFile(path.join(root, 'completion.bash'), completionScript('bash'))
    const { stdout } = await run('bash', [
      ...['--norc', '-c'],
      `source completion.bash; COMP_WORDS=(./stagectl node sta) COMP_CWORD=2; _stagectl; echo "\${COMPREPLY[@]}"; cat asked`,
    ], { cwd: root }) // prettier-ignore
    expect(stdout).toBe('status start\n__complete -- node sta\n')
  })
})

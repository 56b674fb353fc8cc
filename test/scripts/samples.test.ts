import { symlink } from 'node:fs/promises'
import path from 'node:path'
import { execa } from 'execa'
import { describe, expect, it } from 'vitest'
import { directoryOf } from '../support/small-trees.js'

const ROOT = path.resolve(import.meta.dirname, '../..')
const TIDES = ['tides ruby / High water', 'tides ruby test ruby test.rb', 'tides ruby breaks rm tides.rb']

/**
 * What the check of the table of samples says about the checkout `root`.
 *
 * bash takes a standard input that is a socket for a remote shell's, and reads ~/.bashrc then, unless told not to.
 */
async function check(root: string): Promise<string[]> {
  const script = 'source "$root/scripts/lib/samples.sh"; check_samples'
  const { exitCode, stderr } = await execa('bash', ['--norc', '-euo', 'pipefail', '-c', script], {
    env: { root },
    reject: false,
  })
  const [summary, ...mistakes] = stderr.split('\n')
  expect([exitCode, summary]).toEqual(
    mistakes.length === 0 ? [0, ''] : [1, 'bash: examples/apps/samples.txt is wrong:'],
  )
  return mistakes
}

async function checkTable(lines: readonly string[], directory = 'tides'): Promise<string[]> {
  const root = await directoryOf({
    'examples/apps/samples.txt': `# A comment\n${lines.join('\n')}\n`,
    [`examples/apps/${directory}/tides.rb`]: '',
    'scripts/demo': 'stagectl stage examples/apps/of-the-demo --name demo\n',
  })
  await symlink(path.join(ROOT, 'scripts/lib'), path.join(root, 'scripts/lib'))
  return await check(root)
}

const without = (key: string) => TIDES.filter((line) => !line.includes(` ${key} `))

describe('the table of the sample applications', () => {
  it('is complete: each sample is asked something, has tests, and says what makes them fail', async () => {
    expect(await check(ROOT)).toEqual([])
  })

  it.each([
    ['no tests', without('test'), "tides must have one line 'test COMMAND', which runs its tests."],
    [
      'nothing that makes them fail',
      without('breaks'),
      "tides must have one line 'breaks COMMAND', after which its tests fail.",
    ],
    ['no path', without('/'), 'tides is asked nothing: add a line with a path and a text.'],
    ['an unknown key', [...TIDES, 'tides ruby tests x'], "tides has the key 'tests': see the top of the table."],
    ['no text', [...TIDES, 'tides ruby /x'], 'tides has a line without a text: tides ruby /x'],
    ['two pipelines', [...TIDES, 'tides perl /x y'], 'tides has two pipelines: leave one.'],
  ])('refuses a sample with %s', async (_what, lines, mistake) => {
    expect(await checkTable(lines)).toEqual([mistake])
  })

  it('refuses a sample without a directory, and a directory that is no sample', async () => {
    expect(await checkTable(TIDES, 'tide')).toEqual([
      'tides is in the table, and is no directory of examples/apps.',
      'tide is in examples/apps, and is no sample: add its lines to the table.',
    ])
  })

  it('leaves out what only the demo stages', async () => {
    expect(await checkTable([], 'of-the-demo')).toEqual([])
  })
})

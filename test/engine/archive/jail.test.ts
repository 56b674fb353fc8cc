import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Jail, jailed } from '../../../isolation/archive/jail.js'
import { tarList, writeTar } from '../../../isolation/archive/tar-writer.js'
import { collect } from '../../support/collect.js'
import { makeTree } from '../../support/trees.js'
import { OverlayScratch } from '../support/overlay.js'

let scratch: OverlayScratch
beforeEach(() => {
  scratch = new OverlayScratch()
})
afterEach(() => scratch.remove())

const run = (jail: Partial<Jail>, script: string) => {
  const whole: Jail = { tree: scratch.path('tree'), access: 'ro', capabilities: [], fileBytes: 0, ...jail }
  const [program = '', ...rest] = jailed(whole, ['sh', '-c', script])
  const { status, stdout } = spawnSync(program, rest, { encoding: 'utf8' })
  return { status, said: stdout.trim().split('\n') }
}

test('a program in a jail sees its tree and the programs of the host, and has PID 1', () => {
  makeTree(scratch.path('tree'), { file: { file: '' } })
  const { status, said } = run({}, 'echo $$; pwd; ls; ls / | grep -v -E "^(usr|bin|sbin|lib[0-9x]*)$"; exit 3')
  expect({ status, said }).toEqual({ status: 3, said: ['1', '/tree', 'file', 'tree'] })
})

test('it can write to its tree only if that is allowed, and to nothing else', () => {
  mkdirSync(scratch.path('tree'))
  const script = 'for where in /tree / /usr; do touch $where/new 2>&- && echo $where; done'
  expect(run({}, script).said).toEqual([''])
  expect(run({ access: 'rw' }, script).said).toEqual(['/tree'])
  expect(execFileSync('ls', [scratch.path('tree')], { encoding: 'utf8' })).toBe('new\n')
})

test('when the jail cannot be set up, the program does not run, and an error is reported', async () => {
  const { status, said } = run({ tree: scratch.path('gone') }, 'echo here')
  expect({ status, said }).toEqual({ status: 125, said: [''] })
  const archive = writeTar({ tree: scratch.path('gone'), list: tarList(['etc']), sparse: true })
  await expect(collect(archive)).rejects.toMatchObject({ code: 'jail-failed' })
})

import path from 'node:path'
import { execa } from 'execa'
import { describe, expect, it } from 'vitest'

const ROOT = path.resolve(import.meta.dirname, '../..')

/** Only command lines that run no test. */
const run = (script: string, ...args: string[]) =>
  execa(path.join(ROOT, 'scripts', script), args, { reject: false, timeout: 10_000 })

describe('./scripts/test', () => {
  it('names its Engines, with examples', async () => {
    const { stdout, exitCode } = await run('test', '--help')
    expect(exitCode).toBe(0)
    for (const name of ['host', 'debian-12', 'current', 'current-containerd'])
      expect(stdout).toMatch(new RegExp(`^ +${name} {2,}\\S`, 'm'))
    expect(stdout).toMatch(/^ +\.\/scripts\/test --engine current-containerd test\/engine\/\S+\.test\.ts$/m)
    expect(stdout).not.toMatch(/^set /m)
  })

  it.each([
    [['--engine', 'podman'], "there is no Engine 'podman': choose host, debian-12, current or current-containerd"],
    [['--engine', 'debian-12-containerd'], "there is no Engine 'debian-12-containerd': choose"],
    [['--engine', ''], '--engine wants a name'],
    [['--engine'], '--engine wants a name'],
    [['--engines'], 'there is no option --engines'],
    [['test/engine/docker/examine.test.ts'], 'files want --engine'],
    [['--engine', 'current', 'test/engine/none.test.ts'], 'there is no file test/engine/none.test.ts in the checkout'],
  ])('refuses %j with one sentence, and runs nothing', async (args, sentence) => {
    const { stdout, stderr, exitCode } = await run('test', ...args)
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 2 })
    expect(stderr).toMatch(/^test: .*; --help tells more\.$/)
    expect(stderr).toContain(sentence)
  })
})

describe('scripts/lib/machine', () => {
  it.each([
    [[], "'' is no command of it: use tree or run"],
    [['start'], "'start' is no command of it: use tree or run"],
    [['run', 'current'], 'run wants a tree and a command'],
    [['tree'], 'tree wants one kind of machine'],
  ])('refuses %j with one sentence', async (args, sentence) => {
    const { stderr, exitCode } = await run('lib/machine', ...args)
    expect(exitCode).toBe(2)
    expect(stderr).toBe(`machine: ${sentence}; --help tells more.`)
  })
})

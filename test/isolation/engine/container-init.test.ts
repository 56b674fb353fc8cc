import { execa } from 'execa'
import { describe, expect, it } from 'vitest'
import { initCommand, startLines } from '../../../isolation/engine/container-init.js'
import { canBeGivenLater } from '../../../isolation/later-variables.js'

/** Prints each variable that is named by an argument, as bytes. */
const SHOW = 'for name; do eval "printf %s \\"\\$$name\\"" | od -An -v -tx1 | tr -d " \\n"; echo; done'

/** Ends soon without a signal. */
const PROGRAM = 'trap "echo told; exit 3" TERM; echo up; sleep 1 & wait'

describe.each([
  ['dash', ['dash']],
  ['bash', ['bash', '--norc', '--posix']],
  ['busybox', ['busybox', 'sh']],
])('the init of a container in %s', (shell, [program = '', ...options]) => {
  const run = async (lines: string, names: readonly string[]) => {
    const [, ...args] = initCommand(['/bin/sh', '-c', SHOW, 'show', ...names])
    const { stdout } = await execa(program, [...options, ...args], {
      input: lines,
      env: { PATH: '/usr/bin:/bin', CREATED: 'one' },
      extendEnv: false,
    })
    return stdout.split('\n').map((line) => Buffer.from(line, 'hex').toString())
  }
  // Every Debian has the other two. The contract suite of containers runs in the shell of busybox.
  const isMissing = async () =>
    shell === 'busybox' && (await execa(program, [...options, '-c', ':'], { reject: false })).exitCode !== 0

  it('gives the program variables of every content, and keeps those from its creation', async (context) => {
    if (await isMissing()) context.skip('this host has no busybox')
    const variables = {
      BYTES: String.fromCodePoint(...Array.from({ length: 0x3ff }, (_, index) => index + 1)),
      LINES: '\n\n one\n\ttwo\n\n',
      SHELL_TEXT: '\'"`$(touch /tmp/never) \\ \\n \\0101 %s %b * ~ # ; &',
      ENCODED: '=\\0101',
      SPACES: '  ',
      EMPTY: '',
      start: 'mine',
      status: 'mine',
    }
    const names = Object.keys(variables)
    const lines = startLines({ mark: undefined, input: false, variables })
    expect(await run(lines, [...names, 'CREATED'])).toEqual([...Object.values(variables), 'one'])
  })

  it('passes SIGTERM on to all processes, or to the program alone if that ends the others', async (context) => {
    if (await isMissing()) context.skip('this host has no busybox')
    // As in a container: otherwise all processes of the host would get the signal.
    const [, , script = ''] = initCommand([])
    expect(script).toContain("trap 'kill -TERM -1' TERM")
    const own = script.replaceAll('kill -TERM -1', 'echo all')
    for (const [alone, stdout] of [
      [true, 'told'],
      [false, 'all'],
    ] as const) {
      const child = execa(program, [...options, '-c', own, 'stagerd', 'sh', '-c', PROGRAM], {
        ...{ reject: false, input: startLines({ mark: undefined, input: false, alone, variables: {} }) },
      })
      child.stdout.once('data', () => child.kill('SIGTERM'))
      expect((await child).stdout).toBe(`up\n${stdout}`)
    }
  })

  it('starts nothing when its input ends before the last variable', async (context) => {
    if (await isMissing()) context.skip('this host has no busybox')
    const lines = startLines({ mark: undefined, input: false, variables: { A: '1', B: '2' } })
    await expect(run(lines.slice(0, lines.indexOf('B=')), ['A'])).rejects.toMatchObject({ exitCode: 125, stdout: '' })
  })
})

it.each(['UID', 'IFS', 'PWD', 'SHLVL', 'a.b', '1A', '', 'stagerd_line'])('%j cannot be given later', (name) => {
  expect(canBeGivenLater(name)).toBe(false)
})

it.each(['PATH', 'STAGER_URL', '_x', 'LC_ALL', 'LD_PRELOAD', 'HOME'])('%s can be given later', (name) => {
  expect(canBeGivenLater(name)).toBe(true)
})

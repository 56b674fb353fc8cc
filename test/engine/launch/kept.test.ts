import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { KeptContainer, Shell } from '../../../isolation/isolation.js'
import type { Limits, Terminal } from '../../../isolation/launch-plan.js'
import { launch, planOf, Recorder, type Launched } from '../../contract/isolation.js'
import { dockerIsolation, type DockerIsolationUnderTest } from '../support/docker-isolation.js'

const TERMINAL: Terminal = { type: 'xterm', columns: 91, rows: 33 }

describe('a kept container', () => {
  let under: DockerIsolationUnderTest
  const made: Launched[] = []
  beforeAll(async () => {
    under = await dockerIsolation()
  })
  afterEach(async () => {
    await Promise.all(made.splice(0).map(({ release }) => release()))
    await under.expectNothingLeft()
  })
  afterAll(() => under.close())

  const start = async (shell: string, limits: Partial<Limits> = {}) => {
    const recorder = new Recorder()
    const program = { shell, fake: () => Promise.resolve() }
    const plan = {
      ...planOf(under, program, limits),
      keepable: true,
      environment: { GREETING: 'hello' },
      workingDirectory: '/tmp',
    }
    const launched = await launch(under.isolation, plan, recorder)
    made.push(launched)
    return { ...launched, recorder }
  }
  const keep = async (shell: string, limits: Partial<Limits> = {}) => {
    const started = await start(shell, limits)
    const ended = await started.running.ended
    return { ...started, ended, kept: await started.running.keep() }
  }
  /** Runs a script in a shell without a terminal. */
  const ask = async (kept: KeptContainer, script: string) => {
    const recorder = new Recorder()
    const shell = await kept.openShell({ command: undefined, terminal: undefined }, recorder)
    await shell.input(Readable.from([Buffer.from(script)]))
    return { exitCode: await shell.ended, stdout: recorder.stdout, stderr: recorder.stderr }
  }

  it('shows files, user, directory, environment and processes as the program has left them', async () => {
    const { ended, kept, recorder } = await keep('echo made > file; echo out; echo err >&2; sleep 1000 & exit 3')
    expect(ended).toEqual({ kind: 'exited', exitCode: 3 })
    expect([recorder.stdout, recorder.stderr]).toEqual(['out\n', 'err\n'])
    const { stdout, stderr, exitCode } = await ask(kept, 'cat file; id -un; pwd; echo $GREETING; ps; exit 7')
    expect(stderr).toBe('')
    expect(stdout).toMatch(/^made\nrunner\n\/tmp\nhello\n/)
    expect(stdout).toContain('sleep 1000')
    expect(exitCode).toBe(7)
  })

  it('has a terminal with its size, which follows that of the user, and a hang-up ends it', async () => {
    const { kept } = await keep('exit 1')
    const recorder = new Recorder()
    const shell: Shell = await kept.openShell({ command: undefined, terminal: TERMINAL }, recorder)
    let type: (text: string) => void = () => undefined
    const keys = new Readable({ read: () => undefined })
    type = (text) => keys.push(Buffer.from(text))
    const typing = shell.input(keys)
    await vi.waitFor(() => expect(recorder.stdout).toContain('$ '), 10_000)
    type('stty size; tty; echo $TERM\r')
    await vi.waitFor(() => expect(recorder.stdout).toMatch(/33 91\r\n\/dev\/pts\/\d+\r\nxterm\r\n/), 10_000)
    await shell.resize({ columns: 40, rows: 20 })
    type('stty size\r')
    await vi.waitFor(() => expect(recorder.stdout).toContain('20 40\r\n'), 10_000)
    type('sleep 500\r')
    shell.hangUp()
    await shell.ended
    keys.push(null)
    await typing
    expect((await ask(kept, 'ps')).stdout).not.toContain('sleep 500')
  })
})

void readFile

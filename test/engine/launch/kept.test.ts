import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { connectEngine } from '../../../isolation/engine/connect.js'
import { launchName } from '../../../isolation/host/ownership.js'
import type { KeptContainer } from '../../../isolation/kept-container.js'
import type { Limits, PreparePlan, StartPlan, Terminal } from '../../../isolation/launch-plan.js'
import { launch, planOf, Recorder, type Launched } from '../../contract/isolation-under-test.js'
import { dockerIsolation, type DockerIsolationUnderTest } from '../support/docker-isolation.js'

const TERMINAL: Terminal = { type: 'xterm', columns: 91, rows: 33 }
const MIB = 2 ** 20

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

  const keep = async (shell: string, limits: Partial<Limits> = {}, more: Partial<PreparePlan & StartPlan> = {}) => {
    const recorder = new Recorder()
    const program = { shell, fake: () => Promise.resolve() }
    const plan = { ...planOf(under, program, limits), ...more, keepable: true }
    const launched = await launch(under.isolation, plan, recorder)
    made.push(launched)
    const ended = await launched.running.ended
    const kept = await launched.running.keep()
    const inspect = async () => (await connectEngine().getContainer(launchName(plan.id)).inspect()).State
    return { ...launched, recorder, ended, kept, inspect, name: launchName(plan.id) }
  }
  const ask = async (kept: KeptContainer, script: string) => {
    const recorder = new Recorder()
    const shell = await kept.openShell({ command: undefined, terminal: undefined }, recorder)
    await shell.input(Readable.from([Buffer.from(script)]))
    return { exitCode: await shell.ended, stdout: recorder.stdout, stderr: recorder.stderr }
  }

  it('has the processes that the program has left, frozen, and what they print reaches nobody', async () => {
    const { kept, recorder, inspect } = await keep('(while :; do echo tick; done) & sleep 1000 & echo out >&2; exit 3')
    expect((await inspect()).Paused).toBe(true)
    const before = recorder.stdout.length
    const { stdout } = await ask(kept, 'ps; sleep 1')
    expect(stdout).toContain('sleep 1000')
    expect(recorder.stdout.length).toBe(before)
    expect(recorder.stderr).toBe('out\n')
    await expect.poll(async () => (await inspect()).Paused).toBe(true)
  })

  it('is for a shell as it was for its program: variables, directory, mounts and cache', async () => {
    const look =
      "env | grep -Ev '^(_|SHLVL|OLDPWD)=' | sort; pwd; id; umask; ulimit -a; cat /stagerfs/etc/passwd; ls /stagerfs/proc/self; " +
      "grep -E ' (/stagerfs|/stager-cache)' /proc/self/mounts; cat /stager-cache/file"
    const { kept, recorder } = await keep(
      `echo kept > /stager-cache/file; ${look}; exit 1`,
      {},
      {
        stagerfs: under.root,
        cache: { packageUuid: randomUUID(), stagerUuid: randomUUID() },
        environment: { GREETING: 'hello there', STAGER_URL: 'http://10.0.0.1:1234' },
        workingDirectory: '/tmp',
      },
    )
    expect(recorder.stderr).toBe('')
    for (const text of [
      'GREETING=hello there\n',
      '\n/tmp\n',
      ' /stagerfs overlay ',
      ' /stager-cache overlay ',
      'kept\n',
    ])
      expect(recorder.stdout).toContain(text)
    expect(await ask(kept, look)).toEqual({ exitCode: 0, stdout: recorder.stdout, stderr: '' })
  })

  it('has a shell in / where its program has removed its working directory', async () => {
    const { kept } = await keep('rmdir /tmp/work; exit 1', {}, { user: 'root', workingDirectory: '/tmp/work' })
    expect(await ask(kept, 'pwd')).toEqual({
      exitCode: 0,
      stdout: '/\n',
      stderr: 'The directory /tmp/work cannot be entered: this is /.\n',
    })
  })

  it('ends with all output of a program that leaves its output non-blocking and full', async () => {
    const lines = 'i=0; while [ $i -lt 5000 ]; do echo "line $i"; i=$((i+1)); done'
    const { recorder } = await keep(`${lines}; printf 'no end of line\\036'; exit 1`)
    expect(recorder.stdout.endsWith('line 4999\nno end of line\x1e')).toBe(true)
  })

  it('gives a shell no more rights than its program had', async () => {
    const rights = "grep -E '^(Cap|Seccomp|NoNewPrivs|Uid|Gid|Groups)' /proc/self/status"
    const { kept, recorder } = await keep(`${rights}; exit 1`)
    expect(recorder.stdout).toContain('CapBnd')
    expect((await ask(kept, rights)).stdout).toBe(recorder.stdout)
  })

  it('goes on with its limits of memory and processes', async () => {
    const { kept } = await keep('exit 1', { memoryBytes: 16 * MIB, pids: 20 })
    const recorder = new Recorder()
    const greedy = ['sh', '-c', 'x=a; while :; do x=$x$x; done']
    expect(await (await kept.openShell({ command: greedy, terminal: undefined }, recorder)).ended).toBe(137)
    // A shell has 64 processes more.
    const forks = await ask(kept, 'for i in $(seq 120); do sleep 60 & done')
    expect(forks.stderr).toMatch(/can't fork/i)
  })

  it('has shells although it is over its disk limit, which is measured from the moment it is thawed', async () => {
    const { kept, ended } = await keep('dd if=/dev/zero of=/tmp/big bs=1M count=100; sleep 60', { diskBytes: 8 * MIB })
    expect(ended.kind).toBe('disk-full')
    for (let turn = 0; turn < 10; turn++) expect(await ask(kept, 'pwd')).toMatchObject({ exitCode: 0, stderr: '' })
  })

  it('is lost when a shell writes more than its limit, and when its first process ends', async () => {
    const disk = await keep('exit 1', { diskBytes: 8 * MIB })
    // It may write as much as it takes to work there.
    expect((await ask(disk.kept, 'dd if=/dev/zero of=/tmp/some bs=1M count=32')).exitCode).toBe(0)
    await disk.kept.openShell(
      { command: ['sh', '-c', 'dd if=/dev/zero of=/tmp/big bs=1M count=300; sleep 60'], terminal: undefined },
      new Recorder(),
    )
    expect((await disk.kept.lost).message).toBe('it has reached its disk limit')

    const killed = await keep('exit 1')
    await connectEngine().getContainer(killed.name).kill()
    expect((await killed.kept.lost).message).toContain('its first process has ended')
  })

  it('ends a shell with its exit code, although it leaves something in the background that could print', async () => {
    const { kept } = await keep('exit 1')
    expect((await ask(kept, 'sleep 1000 & exit 4')).exitCode).toBe(4)
  })

  it('has job control in a terminal, and a hang-up ends the shell and what runs in it', async () => {
    const { kept } = await keep('exit 1')
    const recorder = new Recorder()
    const shell = await kept.openShell({ command: undefined, terminal: TERMINAL }, recorder)
    const keys = new Readable({ read: () => undefined })
    const typing = shell.input(keys)
    const printed = (text: string | RegExp) => expect.poll(() => recorder.stdout).toMatch(text)
    await printed(/\$ /)
    keys.push('stty size; tty; echo $TERM\r')
    await printed(/33 91\r\n\/dev\/pts\/\d+\r\nxterm\r\n/)
    // It has the terminal when it prints: before, the key would interrupt the shell, which goes on.
    keys.push(`sh -c 'echo sle\${NOTHING}eps; exec sleep 600'\r`)
    await printed(/sleeps/)
    keys.push('\x03')
    await printed(/\^C/)
    keys.push(`sh -c 'trap "stty size; exit" WINCH; echo wait\${NOTHING}ing; while :; do sleep 0.1; done'\r`)
    await printed(/waiting/)
    await shell.resize({ columns: 40, rows: 20 })
    await printed(/20 40/)
    keys.push('echo on${NOTHING}ward; sleep 500\r')
    await printed(/onward/)
    shell.hangUp()
    await shell.ended
    keys.push(null)
    await typing
    expect((await ask(kept, 'ps')).stdout).not.toMatch(/sleep [56]00/)
  })
})

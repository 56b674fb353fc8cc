import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { runnerScript } from '../../../../daemon/packages/droplet/runner-script.js'
import { dropletScripts } from '../../../../daemon/packages/droplet/scripts.js'
import { until } from '../../../support/until.js'

let droplet: string
let started: ChildProcess | undefined
beforeEach(() => {
  droplet = mkdtempSync(path.join(tmpdir(), 'droplet-'))
  mkdirSync(path.join(droplet, 'app'))
})
afterEach(() => {
  // A process group of its own: also what a failed test has left.
  if (started?.pid !== undefined && started.exitCode === null) process.kill(-started.pid, 'SIGKILL')
  started = undefined
  rmSync(droplet, { recursive: true })
})

const write = (name: string, content: string, mode = 0o500) => {
  writeFileSync(path.join(droplet, name), content, { mode })
}

/** The application writes before its startup script has written its PID, without which the stop script cannot end it. */
const isRecorded = () => (statSync(path.join(droplet, 'run.pid'), { throwIfNoEntry: false })?.size ?? 0) > 0

interface Options {
  readonly stop?: string
  readonly executable?: string
  readonly env?: Record<string, string>
}

/** Runs the droplet with a startup script that runs `command`. */
function run(command: string, { stop = 'kill "$1"', executable = 'sh', env = {} }: Options = {}) {
  const logs = '> ../logs/stdout.log 2> ../logs/stderr.log'
  write('startup', `#!/bin/bash\ncd app\n${command} ${logs} &\necho $! >> ../run.pid\nwait $!\n`)
  write('stop', `#!/bin/bash\n${stop}\n`)
  return begin(executable, env)
}

function begin(executable: string | undefined, env: Record<string, string> = {}) {
  const child = spawn('/bin/sh', ['-c', runnerScript(executable)], {
    ...{ cwd: droplet, detached: true, stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env.PATH, ...env } },
  })
  started = child
  let soFar = ''
  child.stdout.on('data', (chunk) => (soFar += String(chunk)))
  const ended = Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]).then(
    ([stdout, stderr, [code]]) => ({ stdout, stderr, code: code as number }),
  )
  return { ended, child, said: () => soFar }
}

describe('the program that runs a droplet', () => {
  test('shows both logs to their last line, and ends with the exit code', async () => {
    const { ended } = run(`{ seq 20000; echo bad >&2; exit 7; }`)
    const { stdout, stderr, code } = await ended
    expect({ lines: stdout.split('\n').length, end: stdout.slice(-6), stderr, code }).toEqual({
      ...{ lines: 20_001, end: '20000\n', stderr: 'bad\n', code: 7 },
    })
  })

  test('shows what arrives while it runs', async () => {
    const { child, said } = run(`{ echo up; sleep 60; }`)
    await until('the first line is shown', () => said() === 'up\n')
    child.kill('SIGTERM')
  })

  test('has nothing of an earlier run, and makes the directories that are missing', async () => {
    for (const name of ['logs', 'tmp']) rmSync(path.join(droplet, name), { recursive: true, force: true })
    write('run.pid', '1\n', 0o600)
    mkdirSync(path.join(droplet, 'logs'))
    symlinkSync('/dev/full', path.join(droplet, 'logs/stdout.log'))
    const { stdout, code } = await run('ls -d ../tmp').ended
    expect({ stdout, code }).toEqual({ stdout: '../tmp\n', code: 0 })
    expect(readFileSync(path.join(droplet, 'run.pid'), 'utf8')).toMatch(/^\d+\n$/)
  })

  test('replaces %VCAP_LOCAL_RUNTIME% wherever the startup script has it', async () => {
    const { stdout } = await run(`%VCAP_LOCAL_RUNTIME% -c 'echo "$0 %VCAP_LOCAL_RUNTIME%"'`).ended
    expect(stdout).toBe('sh sh\n')
  })

  test.each([
    [undefined, 'has none: choose one with --runtime.'],
    ['cobol', 'stands for cobol, which is not in PATH: choose another runtime with --runtime.'],
  ])('says what is wrong if the runtime is %s', async (executable, said) => {
    write('startup', '#!/bin/bash\n%VCAP_LOCAL_RUNTIME% app.rb\n')
    write('stop', '#!/bin/bash\n')
    const { stderr, code } = await begin(executable).ended
    expect(stderr).toMatch(/^stagerd: .*\n$/)
    expect(stderr).toContain(said)
    expect(code).toBe(127)
  })

  test('needs no runtime for a droplet that asks for none', async () => {
    write('startup', '#!/bin/bash\nexit 3\n')
    write('stop', '#!/bin/bash\n')
    expect((await begin(undefined).ended).code).toBe(3)
  })

  test('says that bash is missing', async () => {
    const { stderr, code } = await run('true', { env: { PATH: '/nowhere' } }).ended
    expect(stderr).toMatch(/^stagerd: .* has no bash.*\n$/)
    expect(code).toBe(127)
  })

  test('has the stop script end the application at SIGTERM, once, and shows what it still writes', async () => {
    const app = `bash -c 'trap "echo goodbye; exit 3" USR1; echo up; while :; do sleep 0.05; done'`
    const { child, ended, said } = run(app, { stop: 'kill -USR1 "$1"; echo stopped; sleep 0.3' })
    await until('it is up', () => said() === 'up\n' && isRecorded())
    child.kill('SIGTERM')
    await until('it is being stopped', () => said().includes('stopped'))
    child.kill('SIGTERM')
    const { stdout, code } = await ended
    expect(code).toBe(3)
    expect(stdout.split('\n').sort()).toEqual(['', 'goodbye', 'stopped', 'up'])
  })

  test('ends a droplet of stagerd also before its PID is known', async () => {
    const scripts = dropletScripts({ command: 'sleep 60', environment: {}, startPath: '/app' })
    write('startup', scripts.startup.replace('set -m', 'echo early; sleep 0.5; set -m'))
    write('stop', scripts.stop)
    const { child, ended, said } = begin('sh')
    await until('it has begun', () => said() === 'early\n')
    child.kill('SIGTERM')
    expect((await ended).code).toBeGreaterThan(128)
  })
})

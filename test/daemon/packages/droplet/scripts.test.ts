import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { recordedDependencies } from '../../../../daemon/packages/droplet/recorded-dependencies.js'
import { dropletScripts, type DropletProgram } from '../../../../daemon/packages/droplet/scripts.js'
import { until } from '../../../support/until.js'

let droplet: string
let started: ChildProcess[] = []
beforeEach(() => {
  // A blank, as in the directories of some users.
  droplet = path.join(mkdtempSync(path.join(tmpdir(), 'droplet-')), 'an instance')
  for (const directory of ['app', 'logs', 'tmp']) mkdirSync(path.join(droplet, directory), { recursive: true })
})
afterEach(() => {
  for (const one of started) one.kill('SIGKILL')
  started = []
  rmSync(path.dirname(droplet), { recursive: true })
})

function write(program: Partial<DropletProgram>): void {
  const scripts = dropletScripts({ command: 'true', environment: {}, startPath: '/app', ...program })
  writeFileSync(path.join(droplet, 'startup'), scripts.startup, { mode: 0o500 })
  writeFileSync(path.join(droplet, 'stop'), scripts.stop, { mode: 0o500 })
}

const written = (file: string) => readFileSync(path.join(droplet, file), 'utf8')

/** Starts the droplet, and returns what its program has printed when it has ended. */
function run(program: Partial<DropletProgram>, passed: Record<string, string> = {}): string {
  write(program)
  execFileSync('./startup', { cwd: droplet, env: { PATH: process.env.PATH, ...passed } })
  return written('logs/stdout.log')
}

/** The environment of the program. */
const environmentOf = (environment: Record<string, string>, passed: Record<string, string> = {}) =>
  new Map(
    run({ command: 'env -0', environment }, passed)
      .split('\0')
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const),
  )

describe('the startup script of a droplet', () => {
  test('records what the package depends on, for those who run it', () => {
    const dependencies = [
      { type: 'runtime', name: "ruby-3.1'$(id)`é" },
      { type: 'os', name: 'linux' },
    ] as const
    const record = (more: Partial<DropletProgram>) =>
      recordedDependencies(dropletScripts({ command: 'true', environment: {}, startPath: '/app', ...more }).startup)
    expect(record({ dependencies })).toEqual(dependencies)
    expect(record({})).toEqual([])
    // A value of a variable is no record.
    expect(record({ environment: { A: '\n# Dependencies: os.linux\n' } })).toEqual([])
    expect(run({ command: 'echo started', dependencies })).toBe('started\n')
  })

  test('is the one of the old service, with what stagerd adds to it', () => {
    write({ command: '%VCAP_LOCAL_RUNTIME% app.rb', environment: { RACK_ENV: 'production' } })
    expect(written('startup')).toMatchInlineSnapshot(`
      "#!/bin/bash
      export TMPDIR="$PWD/tmp"
      export PORT="\${PORT:-$VCAP_APP_PORT}"
      export RACK_ENV="\${RACK_ENV:-production}"
      export DROPLET_BASE_DIR=$PWD
      cd app || exit 1
      set -m
      /bin/sh -c '%VCAP_LOCAL_RUNTIME% app.rb' > ../logs/stdout.log 2> ../logs/stderr.log < /dev/null &
      STARTED=$!
      set +m
      echo "$STARTED" >> ../run.pid
      trap 'kill -TERM -- "-$STARTED" 2> /dev/null' TERM INT
      wait "$STARTED"; status=$?
      while kill -0 "$STARTED" 2> /dev/null; do wait "$STARTED"; status=$?; done
      exit "$status"
      "
    `)
  })

  test('starts the command in app, keeps its output and its PID, and ends as it ends', () => {
    write({ command: 'pwd; echo $$; echo oops >&2; exit 3' })
    expect(() => execFileSync('./startup', { cwd: droplet })).toThrow(expect.objectContaining({ status: 3 }))
    const [directory, pid] = written('logs/stdout.log').split('\n')
    expect(directory).toBe(path.join(droplet, 'app'))
    expect(written('run.pid')).toBe(`${pid}\n`)
    expect(written('logs/stderr.log')).toBe('oops\n')
  })

  test('has any value of a variable reach the program as it is', () => {
    const value = fc.string({ unit: fc.constantFrom(...Array.from('ab \n\t"\'`$\\{}()!*~;&|<>:=/-#%é')) })
    fc.assert(
      fc.property(fc.array(value, { minLength: 40, maxLength: 40 }), (values) => {
        const variables = Object.fromEntries(values.map((one, index) => [`V${index}`, one]))
        const found = environmentOf(variables)
        expect(Object.fromEntries(Object.keys(variables).map((name) => [name, found.get(name)]))).toEqual(variables)
      }),
      { numRuns: 10 },
    )
  })

  test('lets the values win that are passed, and the temporary directory of the droplet over all', () => {
    const found = environmentOf(
      { RACK_ENV: 'production', PORT: '8080' },
      { RACK_ENV: 'test', VCAP_APP_PORT: '61001', TMPDIR: '/var/tmp' },
    )
    expect([found.get('RACK_ENV'), found.get('PORT'), found.get('TMPDIR')]).toEqual([
      'test',
      '61001',
      path.join(droplet, 'tmp'),
    ])
    expect(environmentOf({ PORT: '8080' }).get('PORT')).toBe('8080')
  })

  test.each([
    ['/app/bin:$X', 'APP/bin:passed', 'APP/bin'],
    ['${X}:/app/bin', 'passed:APP/bin', 'APP/bin'],
    ['/a:$X:/b', '/a:passed:/b', '/a:/b'],
    ['a${X}b$Xc', 'apassedb$Xc', 'ab$Xc'],
  ])('adds what is passed where %s refers to it', (value, withOne, without) => {
    const moved = (text: string) => text.replaceAll('APP', path.join(droplet, 'app'))
    expect(environmentOf({ X: value }, { X: 'passed' }).get('X')).toBe(moved(withOne))
    expect(environmentOf({ X: value }).get('X')).toBe(moved(without))
  })

  test('finds the files of the application wherever the droplet is', () => {
    const environment = { A: '/srv/www', B: '/srv/www/b:/srv/www.old:/opt/srv/www', C: 'http://x/srv/www' }
    const startPath = '/srv/www'
    const output = run({ startPath, environment, command: `printf '%s\\n' "$A" "$B" "$C" "/srv/www/x"` })
    const app = path.join(droplet, 'app')
    expect(output).toBe(`${app}\n${app}/b:/srv/www.old:/opt/srv/www\nhttp://x/srv/www\n${app}/x\n`)
  })

  test('cannot have a variable that no shell can set', () => {
    expect(() => write({ environment: { 'a.b': 'c' } })).toThrow(/"a\.b" cannot be in a droplet/)
  })
})

describe('the stop script of a droplet', () => {
  /** A program that has started another one, and waits for it. */
  async function start(command: string): Promise<{ readonly ended: Promise<unknown>; readonly pids: () => number[] }> {
    write({ command })
    const child = spawn('./startup', { cwd: droplet, stdio: 'ignore' })
    started.push(child)
    const ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal)))
    const output = path.join(droplet, 'logs/stdout.log')
    await until('the program runs', () => existsSync(output) && readFileSync(output, 'utf8').endsWith('ready\n'))
    return { ended, pids: () => written('logs/stdout.log').match(/\d+/g)?.map(Number) ?? [] }
  }

  const lives = (pid: number) => {
    try {
      process.kill(pid, 0)
      // A zombie has ended.
      return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
    } catch {
      return false
    }
  }

  /** They have been signalled. */
  const allEnd = (pids: readonly number[]) => until('the program has ended', () => !pids.some(lives))

  const stop = (...pids: string[]) => promisify(execFile)(path.join(droplet, 'stop'), pids, { cwd: '/' })

  test('ends the program and what it has started, from any directory', async () => {
    const { ended, pids } = await start('sleep 600 & echo $! $$; echo ready; wait')
    expect(pids().map(lives)).toEqual([true, true])
    await stop()
    expect(await ended).toBe(143)
    await allEnd(pids())
    await stop()
  })

  test('signals nobody for a PID that stands for many, or for none', async () => {
    const { pids } = await start('sleep 600 & echo $! $$; echo ready; wait')
    await stop('1', '0', '-1', 'x', '')
    expect(pids().map(lives)).toEqual([true, true])
    await stop(String(pids()[1]))
    await allEnd(pids())
  })

  test('is not needed for a signal to the startup script', async () => {
    const { ended, pids } = await start('sleep 600 & echo $! $$; echo ready; wait')
    started[0]!.kill('SIGTERM')
    expect(await ended).toBe(143)
    await allEnd(pids())
  })
})

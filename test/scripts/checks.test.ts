import { access, readFile } from 'node:fs/promises'
import path from 'node:path'
import { execa } from 'execa'
import { describe, expect, it } from 'vitest'
import { scratch } from '../support/small-trees.js'

const ROOT = path.resolve(import.meta.dirname, '../..')

/** Runs a script that uses scripts/lib/checks.sh on a host with two processors, in an empty directory. */
async function run(script: string) {
  const cwd = await scratch()
  const uses = 'set -euo pipefail; source "$root/scripts/lib/checks.sh"; nproc() { echo 2; }'
  const { stdout, exitCode } = await execa('bash', ['--norc', '-c', `${uses}\n${script}`], {
    cwd,
    env: { root: ROOT, TMPDIR: cwd },
    reject: false,
    stderr: 'inherit',
  })
  return { cwd, exitCode, lines: stdout.split('\n').filter((line) => line !== '') }
}

/** Without numbers of seconds. */
const timeless = (lines: readonly string[]) => lines.map((line) => line.replace(/\d+ s\b/, 'N s'))

const MEET = 'meet() { echo "$1 begins"; touch "$1"; until [[ -e $2 ]]; do sleep 0.01; done; echo "$1 has met $2"; }'

describe('background checks', () => {
  it('run at the same time, and the output of each is in one piece', async () => {
    const { exitCode, lines } = await run(`${MEET}
      background_check 'First' meet a b
      background_check 'Second' meet b a
      await_checks
      summary`)
    const blockOf = (name: string) => {
      const at = lines.findIndex((line) => line.startsWith(`==> ${name}`))
      return timeless(lines.slice(at, at + 4))
    }
    expect(blockOf('First')).toEqual(['==> First (N s)', 'a begins', 'a has met b', '    passed in N s'])
    expect(blockOf('Second')).toEqual(['==> Second (N s)', 'b begins', 'b has met a', '    passed in N s'])
    expect([lines.at(-1), exitCode]).toEqual(['2 passed, 0 failed', 0])
  })

  it('are no more at a time than the host has processors', async () => {
    const { lines } = await run(`${MEET}
      background_check 'First' meet a c
      background_check 'Second' true
      background_check 'Third' meet c a
      await_checks
      summary`)
    expect(lines.findIndex((line) => line.startsWith('==> Second'))).toBe(0)
    expect(lines.at(-1)).toBe('3 passed, 0 failed')
  })

  it('can be awaited one by one, while others go on', async () => {
    const { lines } = await run(`
      background_check 'Long' bash -c 'until [[ -e over ]]; do sleep 0.01; done'
      background_check 'Short' true
      await_check_of 'Short'
      echo 'after Short'
      touch over
      await_checks`)
    expect(timeless(lines)).toEqual([
      ...['==> Short (N s)', '    passed in N s', 'after Short'],
      ...['==> Long (N s)', '    passed in N s'],
    ])
  })

  it('count as failed with another exit code than 0, with what they print on either stream', async () => {
    const { exitCode, lines } = await run(`
      complain() { echo out; echo err >&2; return 3; }
      background_check 'Bad' complain
      background_check 'Killed' eval 'kill -9 $BASHPID'
      background_check 'Good' true
      await_checks
      summary`)
    expect(lines).toEqual(expect.arrayContaining(['out', 'err', 'failed: Bad', 'failed: Killed']))
    expect([lines.at(-1), exitCode]).toEqual(['1 passed, 2 failed', 1])
  })

  it('leave no process when the script ends early', async () => {
    const { cwd, exitCode } = await run(`
      trap stop_checks EXIT
      wait_long() { bash -c 'echo $$ >pid; exec sleep 1000'; }
      background_check 'Long' wait_long
      until [[ -s pid ]]; do sleep 0.01; done
      exit 7`)
    expect(exitCode).toBe(7)
    const pid = (await readFile(path.join(cwd, 'pid'), 'utf8')).trim()
    await expect
      .poll(() =>
        access(`/proc/${pid}/cwd`).then(
          () => 'runs',
          () => 'gone',
        ),
      )
      .toBe('gone')
  })

  it('that are ended early have stopped what they started when the script goes on', async () => {
    const { lines } = await run(`
      trap 'stop_checks; [[ -e stopped ]] && echo "the demo has stopped"' EXIT
      demo() { bash -c 'trap "sleep 0.2; touch stopped; exit" TERM; touch started; sleep 1000 & wait'; }
      background_check 'Demo' demo
      until [[ -e started ]]; do sleep 0.01; done
      exit 1`)
    expect(lines).toContain('the demo has stopped')
  })
})

it('the summary says how long each part took, before its last line', async () => {
  const { lines } = await run(`
    part 'fast tests' true
    part 'demo' check 'The demo' true
    summary`)
  expect(lines.slice(-2)).toEqual([
    expect.stringMatching(/^seconds: \d+ in all, fast tests \d+, demo \d+$/) as string,
    '1 passed, 0 failed',
  ])
})

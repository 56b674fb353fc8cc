import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const PROGRAMS = path.resolve(import.meta.dirname, '../../stagers/buildpack/run-quickly.sh')

// What stager.sh has of these, in as few words as possible, and a second in place of a minute.
const SCRIPT = `set -euo pipefail
fail() { echo "$*" >&2; exit 1; }
in_stagerfs() { "$@"; }
source "$1"
packs=$2 quick=1
code=0
run_quickly pack detect "$2/said" || code=$?
cat "$2/said" "$2/said.err"
echo "code $code"`

let packs: string
beforeAll(async () => {
  packs = await mkdtemp(path.join(tmpdir(), 'stagerd-buildpack-'))
  await mkdir(path.join(packs, 'pack/bin'), { recursive: true })
})
afterAll(() => rm(packs, { recursive: true }))

async function detecting(program: string, mode = 0o755) {
  const file = path.join(packs, 'pack/bin/detect')
  await rm(file, { force: true })
  await writeFile(file, program)
  await chmod(file, mode)
  const began = performance.now()
  const { exitCode, all } = await execa('bash', ['--norc', '-c', SCRIPT, 'bash', PROGRAMS, packs], {
    ...{ reject: false, all: true },
  })
  return { exitCode, said: all.split('\n'), seconds: (performance.now() - began) / 1000 }
}

describe('bin/detect of a buildpack', () => {
  it('is given the application and no input, and its output and exit code are handed over', async () => {
    const { exitCode, said } = await detecting('#!/bin/sh\necho "$@"; cat; exit 1\n')
    expect([exitCode, said]).toEqual([0, ['/app', 'code 1']])
  })

  it.each([
    ['hangs', '#!/bin/sh\necho one\necho two >&2\nsleep 600\n'],
    ['hangs and ignores signals', "#!/bin/bash\ntrap '' TERM\necho one\necho two >&2\nwhile :; do sleep 1; done\n"],
  ])('that %s ends the staging, in words', async (_what, program) => {
    const { exitCode, said, seconds } = await detecting(program)
    expect([exitCode, said.slice(0, 2), said.at(-1)]).toEqual([
      1,
      ['one', 'two'],
      'bin/detect of the buildpack pack did not end within 1 seconds.',
    ])
    expect(seconds).toBeLessThan(15)
  })

  it('that cannot be executed ends the staging, in words', async () => {
    const { exitCode, said } = await detecting('#!/bin/sh\n', 0o644)
    expect([exitCode, said.at(-1)]).toEqual([
      1,
      expect.stringContaining('bin/detect of the buildpack pack does not run'),
    ])
  })
})

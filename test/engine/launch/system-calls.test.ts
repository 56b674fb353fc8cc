import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { LayerSource } from '../../../isolation/launch-plan.js'
import { launch, planOf, Recorder, type WholePlan } from '../../contract/isolation-under-test.js'
import { connectEngine } from '../../../isolation/engine/connect.js'
import { tarball } from '../support/busybox-root.js'
import { dockerIsolation, type DockerIsolationUnderTest } from '../support/docker-isolation.js'
import { perlTarball } from '../support/perl-root.js'
import { ATTEMPTS_32, answersOf32, programOf } from '../support/calls-of-32-bits.js'
import { ATTEMPTS, answersOf, attemptsInPerl, wordsOf } from '../support/system-calls.js'

const { signal } = new AbortController()

/** Programs that ask in the way of 32-bit programs: one is such, the other has 64 bits. */
const OLD = { 'bin/old': programOf(ATTEMPTS_32, 32), 'bin/mixed': programOf(ATTEMPTS_32, 64) }

async function layersOf(under: DockerIsolationUnderTest): Promise<readonly LayerSource[]> {
  const programs = under.resources.add('old', await tarball(OLD))
  return [...under.root, under.resources.add('perl', await perlTarball()), programs]
}

/** As root, who has the capabilities of the container. */
async function run(under: DockerIsolationUnderTest, shell: string, change: Partial<WholePlan> = {}) {
  const recorder = new Recorder()
  const plan = { ...planOf(under, { shell, fake: () => Promise.resolve() }), root: await layersOf(under), user: 'root' }
  const { running, release } = await launch(under.isolation, { ...plan, ...change }, recorder, signal)
  const ending = await running.ended
  await release()
  return { ending, recorder }
}

describe('what the programs of a container may ask of the kernel', () => {
  let under: DockerIsolationUnderTest
  beforeAll(async () => {
    under = await dockerIsolation()
  })
  afterAll(() => under.close())

  it.each<[string, Partial<WholePlan>]>([
    ['a launch', {}],
    ['a run', { shims: false, stagerfs: undefined }],
  ])('is what the profile of stagerd lists, in %s', async (_, change) => {
    const { ending, recorder } = await run(under, attemptsInPerl(ATTEMPTS), change)
    expect(ending, recorder.stderr).toEqual({ kind: 'exited', exitCode: 0 })
    const answers = answersOf(ATTEMPTS, recorder.stdout)
    const wrong = ATTEMPTS.filter(({ errno }, index) => {
      const answer = answers.get(wordsOf(ATTEMPTS[index]))
      return ![errno].flat().some((one) => one === answer)
    })
    expect(wrong.map((attempt) => `${wordsOf(attempt)}: ${answers.get(wordsOf(attempt))}`)).toEqual([])
  })

  it.runIf(process.arch === 'x64').each(['old', 'mixed'])(
    'is the same for who asks in the way of 32-bit programs, and their one call for all sockets is refused: %s',
    async (program) => {
      const { ending, recorder } = await run(under, `${program} >/tmp/answers && od -A n -v -t d4 /tmp/answers`)
      expect(ending, recorder.stderr).toEqual({ kind: 'exited', exitCode: 0 })
      const answers = answersOf32(ATTEMPTS_32, recorder.stdout, wordsOf)
      const wrong = ATTEMPTS_32.filter((attempt) => ![attempt.errno].flat().includes(answers.get(wordsOf(attempt))!))
      expect(wrong.map((attempt) => `${wordsOf(attempt)}: ${answers.get(wordsOf(attempt))}`)).toEqual([])
    },
  )

  it.runIf(process.arch === 'x64')('is never asked in the way of x32', async () => {
    const { recorder } = await run(under, `perl -e 'syscall(0x40000000 + 39)'; echo "x32 $?"`)
    expect(recorder.stdout).toContain('x32 159')
  })
})

describe('a profile of the operator', () => {
  it('takes the place of that of stagerd', async () => {
    const seccomp = JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [] })
    const under = await dockerIsolation(new Map(), { engine: connectEngine(), seccomp })
    try {
      const attempts = ATTEMPTS.filter(({ call }) => call === 'ptrace')
      const { recorder } = await run(under, attemptsInPerl(attempts))
      expect(answersOf(attempts, recorder.stdout)).toEqual(new Map([['ptrace', 0]]))
    } finally {
      await under.close()
    }
  })
})

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { LayerSource } from '../../../isolation/launch-plan.js'
import { launch, planOf, Recorder, type WholePlan } from '../../contract/isolation-under-test.js'
import { connectEngine } from '../../../isolation/engine/connect.js'
import { tarball } from '../support/busybox-root.js'
import { dockerIsolation, type DockerIsolationUnderTest } from '../support/docker-isolation.js'
import { perlTarball } from '../support/perl-root.js'
import { ATTEMPTS, answersOf, attemptsInPerl, wordsOf } from '../support/system-calls.js'

const { signal } = new AbortController()

/** Two programs that ask for their process id in the way of 32-bit programs: one is such, the other has 64 bits. */
const FOREIGN = { 'bin/old': elf32(), 'bin/mixed': elf64() }

async function layersOf(under: DockerIsolationUnderTest): Promise<readonly LayerSource[]> {
  const programs = under.resources.add('foreign', await tarball(FOREIGN))
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

  it.runIf(process.arch === 'x64')('is asked in the way of 64-bit programs only', async () => {
    const x32 = `perl -e 'syscall(0x40000000 + 39)'`
    const { recorder } = await run(under, `${x32}; echo "x32 $?"; mixed; echo "mixed $?"`)
    const [, ofX32, ofMixed] = /x32 (\d+)\nmixed (\d+)/.exec(recorder.stdout) ?? []
    expect(ofX32).toBe('159')
    // A kernel without 32-bit programs ends it in another way.
    expect(['159', '139']).toContain(ofMixed)
    // The kernel would run it.
    expect((await run(under, 'exec /bin/old')).ending).toMatchObject({
      kind: 'not-runnable',
      reason: expect.stringContaining('a program for another processor (i386)') as unknown,
    })
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

/** getpid() by `int 0x80`, then exit(0) in the same way. */
function elf32(): Buffer {
  const code = Buffer.from('b814000000cd80' + '31dbb801000000cd80', 'hex')
  const head = Buffer.alloc(84)
  head.write('\x7fELF\x01\x01\x01', 'latin1')
  for (const [at, value] of [
    [16, 2],
    [18, 3],
    [40, 52],
    [42, 32],
    [44, 1],
  ] as const)
    head.writeUInt16LE(value, at)
  const base = 0x08048000
  const size = head.length + code.length
  for (const [at, value] of [
    [20, 1],
    [24, base + head.length],
    [28, 52],
    [52, 1],
    [60, base],
    [64, base],
    [68, size],
    [72, size],
    [76, 5],
    [80, 0x1000],
  ] as const)
    head.writeUInt32LE(value, at)
  return Buffer.concat([head, code])
}

/** getpid() by `int 0x80`, then exit(0) in the way of 64 bits. */
function elf64(): Buffer {
  const code = Buffer.from('b814000000cd80' + '31ffb83c0000000f05', 'hex')
  const head = Buffer.alloc(120)
  head.write('\x7fELF\x02\x01\x01', 'latin1')
  for (const [at, value] of [
    [16, 2],
    [18, 62],
    [52, 64],
    [54, 56],
    [56, 1],
  ] as const)
    head.writeUInt16LE(value, at)
  head.writeUInt32LE(1, 20)
  head.writeUInt32LE(1, 64)
  head.writeUInt32LE(5, 68)
  const base = 0x400000n
  const size = BigInt(head.length + code.length)
  for (const [at, value] of [
    [24, base + 120n],
    [32, 64n],
    [80, base],
    [88, base],
    [96, size],
    [104, size],
    [112, 0x1000n],
  ] as const)
    head.writeBigUInt64LE(value, at)
  return Buffer.concat([head, code])
}

import { writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Readable } from 'node:stream'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type FilterExit, intoProcess, throughProcesses } from '../../../isolation/archive/filter-process.js'
import { collect } from '../../support/collect.js'

const checkExit = ({ exitCode, stderr, readAll }: FilterExit) =>
  exitCode === 0 && readAll ? undefined : new Error(`${stderr || 'no message'}, exit code ${String(exitCode)}`)
const shell = (script: string) => ({ argv: ['sh', '-c', script], checkExit })
const endless = () => Readable.from(repeat(), { objectMode: false })

function* repeat(): Generator<Buffer> {
  for (;;) yield Buffer.alloc(64 * 1024)
}

/** Delivers one chunk and then neither data nor an end. */
function stuck(): Readable {
  const input = new Readable({ read: () => undefined })
  input.push('a beginning')
  return input
}

describe('a program that exits before the end of its input', () => {
  test.each([
    ['that continues', endless],
    ['that is stuck', stuck],
  ])('fails with its own error, for an input %s', async (_, input) => {
    const program = shell('head -c 1 >/dev/null; echo no more >&2; exit 3')
    await expect(intoProcess(input(), program.argv, { checkExit })).rejects.toThrow('no more, exit code 3')
    await expect(collect(throughProcesses(input(), [program]))).rejects.toThrow('no more, exit code 3')
  })

  test('fails even if its exit code is 0', async () => {
    await expect(intoProcess(stuck(), ['true'], { checkExit })).rejects.toThrow('no message, exit code 0')
  })
})

test('an error of the input becomes the error of the output', async () => {
  const input = stuck()
  const output = collect(throughProcesses(input, [shell('cat')]))
  input.destroy(new Error('the disk is gone'))
  await expect(output).rejects.toThrow('the disk is gone')
})

test('each program of a chain reports its success while the others may still be running', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'stagerd-test-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const told = path.join(directory, 'told')
  const chain = [
    { ...shell('cat'), onSuccess: () => writeFileSync(told, '') },
    shell(`cat >/dev/null; until [ -e ${told} ]; do sleep 0.01; done; echo done`),
  ]
  expect(String(await collect(throughProcesses(Readable.from(['text']), chain)))).toBe('done\n')
})

test('if several programs fail, the error is that of the last one: the others only lost their reader', async () => {
  const chain = [shell('cat'), shell('echo full >&2; exit 1')]
  await expect(collect(throughProcesses(endless(), chain))).rejects.toThrow('full, exit code 1')
})

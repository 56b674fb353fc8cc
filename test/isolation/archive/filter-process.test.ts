import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { type FilterEnd, intoProcess, throughProcesses } from '../../../isolation/archive/filter-process.js'
import { collect } from '../../support/collect.js'

const judge = ({ exitCode, stderr, readAll }: FilterEnd) =>
  exitCode === 0 && readAll ? undefined : new Error(`${stderr || 'it ended'}, with ${String(exitCode)}`)
const shell = (script: string) => ({ argv: ['sh', '-c', script], judge })
const endless = () => Readable.from(repeat(), { objectMode: false })

function* repeat(): Generator<Buffer> {
  for (;;) yield Buffer.alloc(64 * 1024)
}

/** Something, and then nothing for ever. */
function stuck(): Readable {
  const input = new Readable({ read: () => undefined })
  input.push('a beginning')
  return input
}

describe('a program that ends before its input does', () => {
  test.each([
    ['that goes on', endless],
    ['of which nothing more comes', stuck],
  ])('tells its own reason: input %s', async (_, input) => {
    const program = shell('head -c 1 >/dev/null; echo no more >&2; exit 3')
    await expect(intoProcess(input(), program.argv, { judge })).rejects.toThrow('no more, with 3')
    await expect(collect(throughProcesses(input(), [program]))).rejects.toThrow('no more, with 3')
  })

  test('is judged by that, even if it is content', async () => {
    await expect(intoProcess(stuck(), ['true'], { judge })).rejects.toThrow('it ended, with 0')
  })
})

test('the error of an input is that of the whole', async () => {
  const input = stuck()
  const output = collect(throughProcesses(input, [shell('cat')]))
  input.destroy(new Error('the disk is gone'))
  await expect(output).rejects.toThrow('the disk is gone')
})

test('each program of a chain is told of when it has ended well, the others may go on', async () => {
  const ended: string[] = []
  const chain = [
    { ...shell('cat; exec >&-; exit 0'), onSuccess: () => ended.push('first') },
    { ...shell('cat >/dev/null; echo done'), onSuccess: () => ended.push('second') },
  ]
  expect(String(await collect(throughProcesses(Readable.from(['text']), chain)))).toBe('done\n')
  expect(ended).toEqual(['first', 'second'])
})

test('of several that fail, the last one is the cause: those before it only lost their reader', async () => {
  const chain = [shell('cat'), shell('echo full >&2; exit 1')]
  await expect(collect(throughProcesses(endless(), chain))).rejects.toThrow('full, with 1')
})

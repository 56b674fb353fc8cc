import { appendFile } from 'node:fs/promises'
import path from 'node:path'
import { beforeEach, expect, it } from 'vitest'
import { formatLine } from '../../../daemon/log/log-file.js'
import { readLog, type LogSource, type ReadOptions } from '../../../daemon/log/log-reader.js'
import { parsed, textsOf, useLogDirectory } from './log-directory.js'

const directory = useLogDirectory()
const signal = new AbortController().signal

const listeners = new Set<() => void>()
let complete: boolean
let source: LogSource

beforeEach(() => {
  listeners.clear()
  complete = false
  source = {
    file: path.join(directory(), 'log'),
    isComplete: () => Promise.resolve(complete),
    onChange: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
})

const notify = () => listeners.forEach((listener) => listener())

const lineOf = (seq: number, text: string) =>
  formatLine({ seq, time: '2026-01-01T00:00:00.000Z', stream: 'stdout', text })

const read = (options: Partial<ReadOptions> = {}) =>
  parsed(readLog(source, { since: 0, follow: false, signal, ...options }))

it('begins after the given line', async () => {
  await appendFile(source.file, lineOf(1, 'one') + lineOf(2, 'two') + lineOf(3, 'three'))
  expect(await textsOf(read())).toEqual(['1 one', '2 two', '3 three'])
  expect(await textsOf(read({ since: 2 }))).toEqual(['3 three'])
})

it('yields every line once, in order, until the log is complete', async () => {
  const followed = textsOf(read({ follow: true }))
  const expected = []
  for (let n = 1; n <= 500; n++) {
    expected.push(`${n} line ${n}`)
    await appendFile(source.file, lineOf(n, `line ${n}`))
    notify()
  }
  complete = true
  notify()
  expect(await followed).toEqual(expected)
  expect(listeners).toEqual(new Set())
})

it('waits for the rest of a line that is being written', async () => {
  const [first, second] = [lineOf(1, 'one'), lineOf(2, 'two')]
  await appendFile(source.file, first + second.slice(0, 20))
  const lines = read({ follow: true })
  expect((await lines.next()).value).toMatchObject({ seq: 1 })
  const next = lines.next()
  await appendFile(source.file, second.slice(20))
  notify()
  expect((await next).value).toMatchObject({ seq: 2, text: 'two' })
  await lines.return(undefined)
})

it.each(['a\u2028b\u2029c', 'a\rb', 'größe 🎉', ''])('yields %j unchanged', async (text) => {
  await appendFile(source.file, lineOf(1, text) + lineOf(2, 'next'))
  expect(await textsOf(read())).toEqual([`1 ${text}`, '2 next'])
})

it('resumes at the right byte behind a damaged line', async () => {
  await appendFile(source.file, `${lineOf(1, 'one')}{"seq":2,"ti\n${lineOf(3, 'three')}`)
  const followed = read({ follow: true })
  expect((await followed.next()).value).toMatchObject({ seq: 1 })
  expect((await followed.next()).value).toMatchObject({ seq: 3 })
  const next = followed.next()
  await appendFile(source.file, lineOf(4, 'four'))
  notify()
  expect((await next).value).toMatchObject({ seq: 4, text: 'four' })
  await followed.return(undefined)
})

it('leaves out a line that is not what a writer writes, so that its readers need not check it', async () => {
  const [whole, other] = [lineOf(1, 'a "quoted" \\ text'), lineOf(3, 'three')]
  const damaged = [
    lineOf(2, 'two').replace('two', 't"o'),
    lineOf(2, 'two').replace('two', 't\u0001o'),
    lineOf(2, 'two').replace('two', 't\\xo'),
    lineOf(2, 'two').replace('"}', '\0\0'),
    lineOf(2, 'two').replace('stdout', 'stdnull'),
    `${lineOf(2, 'two').slice(0, -6)}${lineOf(2, 'two')}`,
  ]
  await appendFile(source.file, whole + damaged.join('') + other)
  expect(await textsOf(read())).toEqual(['1 a "quoted" \\ text', '3 three'])
})

it('yields lines that are longer than a read buffer', async () => {
  const long = 'x'.repeat(1_000_000)
  await appendFile(source.file, lineOf(1, long) + lineOf(2, 'next'))
  expect(await textsOf(read())).toEqual([`1 ${long}`, '2 next'])
})

it('ends without an error on an abort', async () => {
  await appendFile(source.file, lineOf(1, 'one'))
  const stop = new AbortController()
  const lines = read({ follow: true, signal: stop.signal })
  await lines.next()
  const next = lines.next()
  stop.abort()
  expect(await next).toEqual({ value: undefined, done: true })
  expect(listeners).toEqual(new Set())
})

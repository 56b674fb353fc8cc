import { EventEmitter, once } from 'node:events'
import { copyFile, open, readFile, truncate, writeFile, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { parseLine, readPieces } from '../../../daemon/log/log-file.js'
import { LogWriter, MAX_LOG_BYTES } from '../../../daemon/log/log-writer.js'
import { textsOf, useLogDirectory } from './log-directory.js'

const directory = useLogDirectory()
const silent = { written: () => undefined, closed: () => undefined }

const fileOf = (name = 'log') => path.join(directory(), name)

async function* linesOf(path: string) {
  const file = await open(path)
  try {
    for await (const { lines } of readPieces(file, 0)) yield* lines.map(parseLine)
  } finally {
    await file.close()
  }
}

it('continues after the last complete line, wherever a crash has truncated the file', async () => {
  const whole = fileOf()
  const before = await LogWriter.open(whole, silent)
  await before.append('stdout', ['one', 'zwölf'])
  await before.close()
  const { length } = await readFile(whole)
  const endOfFirst = (await readFile(whole)).indexOf('\n') + 1
  for (let cut = 0; cut <= length; cut++) {
    const file = fileOf(`cut-${cut}`)
    await copyFile(whole, file)
    await truncate(file, cut)
    const after = await LogWriter.open(file, silent)
    await after.append('stderr', ['again'])
    await after.close()
    const kept = cut === length ? ['1 one', '2 zwölf'] : cut >= endOfFirst ? ['1 one'] : []
    expect(await readFile(file, 'utf8'), `cut at ${cut}`).not.toContain('\0')
    expect(await textsOf(linesOf(file)), `cut at ${cut}`).toEqual([...kept, `${kept.length + 1} again`])
  }
})

it('keeps and counts lines with every character that other programs take for the end of a line', async () => {
  const texts = ['\u2028', '\u2029', '\u0085', '\v', '\f', '\r'].map((end) => `before${end}after`)
  const before = await LogWriter.open(fileOf(), silent)
  await before.append('stdout', texts)
  await before.close()
  const after = await LogWriter.open(fileOf(), silent)
  await after.append('stdout', ['next'])
  await after.close()
  expect(await textsOf(linesOf(fileOf()))).toEqual([...texts, 'next'].map((text, index) => `${index + 1} ${text}`))
})

it('continues after a line that is damaged, and keeps what follows it', async () => {
  const whole = fileOf()
  const before = await LogWriter.open(whole, silent)
  await before.append('stdout', ['one', 'two', 'three', 'four'])
  await before.close()
  const lines = (await readFile(whole, 'utf8')).split('\n')
  const [one = '', two = '', three = '', four = ''] = lines
  const damaged: readonly [what: string, content: string, kept: readonly string[]][] = [
    ['a line without its end', [one, two.slice(0, 20), three, four, ''].join('\n'), ['1 one', '3 three', '4 four']],
    [
      'NULs instead of a line',
      [one, `${'\0'.repeat(70)}${three}`, four, ''].join('\n'),
      ['1 one', '3 three', '4 four'],
    ],
    ['NULs at the end', [one, two, '\0'.repeat(200)].join('\n'), ['1 one', '2 two']],
    ['JSON that is no line', [one, 'null', '17', '{}', four, ''].join('\n'), ['1 one', '4 four']],
  ]
  for (const [what, content, kept] of damaged) {
    await writeFile(whole, content)
    const after = await LogWriter.open(whole, silent)
    await after.append('stderr', ['again'])
    await after.close()
    const next = Number.parseInt(kept.at(-1) ?? '0', 10) + 1
    expect(await textsOf(linesOf(whole)), what).toEqual([...kept, `${next} again`])
  }
})

describe('on a full disk', () => {
  let full: boolean
  /** Emits `repaired` when the rest of a failed write has been cut off. */
  let disk: EventEmitter
  let writer: LogWriter
  beforeEach(async () => {
    full = true
    disk = new EventEmitter()
    const handle = await open(fileOf(), 'a')
    const onFullDisk = new Proxy(handle, {
      get: (target, name) => {
        if (name === 'appendFile' && full)
          return async (text: string) => {
            await target.appendFile(text.slice(0, 10))
            throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
          }
        if (name === 'truncate')
          return async (length: number) => {
            await target.truncate(length)
            setImmediate(() => disk.emit('repaired'))
          }
        return (target[name as keyof FileHandle] as () => void).bind(target)
      },
    })
    writer = new LogWriter(onFullDisk, { seq: 0, end: 0 }, silent)
  })

  it('writes complete lines without a gap once there is space', async () => {
    await expect(writer.message('one')).rejects.toThrow('no space')
    full = false
    await writer.append('stdout', ['two'])
    await writer.close()
    expect(await textsOf(linesOf(fileOf()))).toEqual(['1 one', '2 two'])
  })

  it('reports the failure of a write that nobody waited for, and loses nothing', async () => {
    const failed = once(disk, 'repaired')
    await writer.append('stdout', ['one'])
    await failed
    await expect(writer.append('stdout', ['two'])).rejects.toThrow('no space')
    full = false
    await writer.append('stdout', ['three'])
    await writer.close()
    expect(await textsOf(linesOf(fileOf()))).toEqual(['1 one', '2 two', '3 three'])
  })
})

it('writes lines together that a stager prints one by one', async () => {
  let writes = 0
  const writer = await LogWriter.open(fileOf(), { ...silent, written: () => (writes += 1) })
  for (let n = 0; n < 1000; n++) await writer.append('stdout', ['a line'])
  await writer.close()
  expect(writes).toBe(1)
  expect(await textsOf(linesOf(fileOf()))).toHaveLength(1000)
})

it('lets no more output wait for its write than memory may hold', async () => {
  let writes = 0
  const writer = await LogWriter.open(fileOf(), { ...silent, written: () => (writes += 1) })
  for (let n = 0; n < 100; n++) await writer.append('stdout', ['x'.repeat(16 * 1024)])
  expect(writes).toBeGreaterThanOrEqual(5)
  await writer.close()
})

it('drops output when the log is full, logs that once, and still accepts messages', async () => {
  const handle = await open(fileOf(), 'a')
  const writer = new LogWriter(handle, { seq: 7, end: MAX_LOG_BYTES }, silent)
  await writer.append('stdout', ['the last'])
  await writer.append('stdout', ['dropped'])
  await writer.append('stderr', ['dropped too'])
  await writer.message('Staging is complete.')
  await writer.close()
  expect(await textsOf(linesOf(fileOf()))).toEqual([
    '8 the last',
    '9 The log is longer than 64 MiB; further output of the stager is dropped.',
    '10 Staging is complete.',
  ])
})

it('calls `written` when lines are in the file, and `closed` when the file is closed', async () => {
  const events: string[] = []
  const writer = await LogWriter.open(fileOf(), {
    written: () => events.push('written'),
    closed: () => events.push('closed'),
  })
  await writer.message('one', 'two')
  expect(events).toEqual(['written'])
  await writer.close()
  expect(events).toEqual(['written', 'closed'])
})

it('calls `closed` although the file could not be closed', async () => {
  const handle = await open(fileOf(), 'a')
  const failing = new Proxy(handle, {
    get: (target, name) =>
      name === 'close'
        ? async () => {
            await target.close()
            throw Object.assign(new Error('i/o error'), { code: 'EIO' })
          }
        : (target[name as keyof FileHandle] as () => void).bind(target),
  })
  const events: string[] = []
  const writer = new LogWriter(
    failing,
    { seq: 0, end: 0 },
    {
      written: () => events.push('written'),
      finish: () => Promise.resolve(void events.push('finish')),
      closed: () => events.push('closed'),
    },
  )
  await writer.message('one')
  await expect(writer.close()).rejects.toThrow('i/o error')
  expect(events).toEqual(['written', 'finish', 'closed'])
})

import { open, writeFile, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findLastLine, findOffsetAfter } from '../../../daemon/log/find-line.js'
import { formatLine, readPieces } from '../../../daemon/log/log-file.js'
import { useLogDirectory } from './log-directory.js'

const directory = useLogDirectory()
const LINES = 50_000

/** Of any length, with a few that are longer than what is read at once. */
const lineOf = (seq: number) => {
  const text = (seq % 10_000 === 0 ? 'größe 🎉'.repeat(10_000) : `line ${seq} `.repeat(1 + (seq % 20))) + '\u0001"'
  return formatLine({ seq, time: '2026-01-01T00:00:00.000Z', stream: 'stdout', text })
}
const whole = Array.from({ length: LINES }, (_, index) => lineOf(index + 1))

let handle: FileHandle | undefined
/** How much has been read of the file. */
let bytesRead: number
/** The same file. It counts what is read. */
let file: FileHandle

async function fileOf(content: string) {
  const name = path.join(directory(), 'log')
  await writeFile(name, content)
  await handle?.close()
  const opened = await open(name)
  handle = opened
  file = new Proxy(opened, {
    get: (target, property) => {
      if (property !== 'read') return (target[property as keyof FileHandle] as () => void).bind(target)
      return async (buffer: Buffer, offset: number, length: number, position: number) => {
        const result = await target.read(buffer, offset, length, position)
        bytesRead += result.bytesRead
        return result
      }
    },
  })
  bytesRead = 0
}
afterEach(async () => {
  await handle?.close()
  handle = undefined
})

async function firstAfter(since: number): Promise<number | undefined> {
  for await (const { lines } of readPieces(file, await findOffsetAfter(file, since))) {
    const found = lines.find(({ seq }) => seq > since)
    if (found) return found.seq
  }
  return undefined
}

const SAMPLES = [0, 1, 2, 500, 9_998, 9_999, 10_000, 10_001, 25_000, 39_999, 40_000, 49_998, 49_999]

describe('in a long log', () => {
  beforeEach(() => fileOf(whole.join('')))

  it('the lines after any number are found without reading those before', async () => {
    for (const since of SAMPLES) {
      bytesRead = 0
      expect(await firstAfter(since)).toBe(since + 1)
      expect(bytesRead, `for ${since}`).toBeLessThan(1_000_000)
    }
    expect(await firstAfter(LINES)).toBeUndefined()
    expect(await firstAfter(LINES * 10)).toBeUndefined()
    expect(whole.join('').length).toBeGreaterThan(7_000_000)
  })

  it('the last line is found from the end', async () => {
    expect(await findLastLine(file)).toEqual({ seq: LINES, end: Buffer.byteLength(whole.join('')) })
    expect(bytesRead).toBeLessThan(1_000_000)
  })
})

describe('in a log with damage', () => {
  it('the lines after any number are found', async () => {
    const lines = [...whole]
    lines[20_000] = '\0'.repeat(500_000)
    lines.fill('no line\n', 25_000, 35_000)
    await fileOf(lines.join(''))
    for (const since of SAMPLES.filter((each) => each < 25_000 || each >= 35_000))
      expect(await firstAfter(since), `for ${since}`).toBe(since === 25_000 ? 35_001 : since + 1)
    expect(await firstAfter(25_000)).toBe(35_001)
    expect(await firstAfter(30_000)).toBe(35_001)
  })

  it('the last line is found before any damage', async () => {
    const kept = whole.slice(0, 100).join('')
    const damage = ['', 'half a line', '\0'.repeat(300_000), 'no line\n'.repeat(50_000), `${'\xff'.repeat(9)}\n\n`]
    for (const rest of damage) {
      await fileOf(kept + rest)
      expect(await findLastLine(file)).toEqual({ seq: 100, end: Buffer.byteLength(kept) })
    }
    await fileOf('no line\n'.repeat(50_000))
    expect(await findLastLine(file)).toEqual({ seq: 0, end: 0 })
  })
})

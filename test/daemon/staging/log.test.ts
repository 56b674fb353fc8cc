import { appendFile, mkdtemp, open, rm, type FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LineSplitter, MAX_LINE_LENGTH } from '../../../daemon/staging/lines.js'
import { LogWriter, StagingLogs } from '../../../daemon/staging/log.js'

const STAGING = '0d9a2a68-6f0c-4b6c-9d7e-0a5f2f0c1b2a'
const never = new AbortController().signal

let directory: string
let over: boolean
let logs: StagingLogs

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'stagerd-log-'))
  over = false
  logs = new StagingLogs(directory, () => Promise.resolve(over))
})
afterEach(() => rm(directory, { recursive: true }))

async function texts(since = 0, follow = false): Promise<string[]> {
  const found: string[] = []
  for await (const line of logs.follow(STAGING, { since, follow, signal: never }))
    found.push(`${line.seq} ${line.text}`)
  return found
}

describe('the log of a staging', () => {
  it('can be read from any line on', async () => {
    const writer = await logs.write(STAGING)
    await writer.message('Launching instance')
    await writer.append('stdout', ['one', 'two'])
    await writer.close()
    expect(await texts()).toEqual(['1 Launching instance', '2 one', '3 two'])
    expect(await texts(2)).toEqual(['3 two'])
  })

  it('shows a follower every line once, in order, until the staging is over', async () => {
    const writer = await logs.write(STAGING)
    const followed = texts(0, true)
    const expected = []
    for (let n = 1; n <= 500; n++) {
      expected.push(`${n} line ${n}`)
      await writer.append(n % 2 ? 'stdout' : 'stderr', [`line ${n}`])
    }
    over = true
    await writer.close()
    expect(await followed).toEqual(expected)
  })

  it('goes on counting after a restart, and drops a line that the crash has cut', async () => {
    const before = await logs.write(STAGING)
    await before.append('stdout', ['whole'])
    await appendFile(path.join(directory, `${STAGING}.ndjson`), '{"seq":2,"time":"2026-')
    const after = await logs.write(STAGING)
    await after.append('stdout', ['again'])
    await Promise.all([before.close(), after.close()])
    expect(await texts()).toEqual(['1 whole', '2 again'])
  })

  it('keeps its lines whole and without a gap when the disk is full for a while', async () => {
    const file = path.join(directory, `${STAGING}.ndjson`)
    const handle = await open(file, 'a')
    let full = true
    const onFullDisk = new Proxy(handle, {
      get: (target, name) => {
        if (name !== 'appendFile' || !full) return (target[name as keyof FileHandle] as () => void).bind(target)
        return async (text: string) => {
          await target.appendFile(text.slice(0, 10))
          throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
        }
      },
    })
    const writer = new LogWriter(onFullDisk, 0, 0, () => undefined, () => undefined) // prettier-ignore
    await expect(writer.append('stdout', ['one'])).rejects.toThrow('no space')
    full = false
    await writer.append('stdout', ['two'])
    await writer.close()
    expect(await texts()).toEqual(['1 one', '2 two'])
  })

  it('has nothing to say of a staging that never began', async () => {
    over = true
    expect(await texts(0, true)).toEqual([])
  })
})

describe('splitting output into lines', () => {
  it('does not care where the pieces are cut', () => {
    const bytes = Buffer.from('grüße\r\nzwei\n\ndrei')
    const splitter = new LineSplitter()
    const lines = [...bytes].flatMap((byte) => splitter.push(Buffer.from([byte])))
    expect([...lines, ...splitter.end()]).toEqual(['grüße', 'zwei', '', 'drei'])
  })

  it('cuts a line that never ends', () => {
    const splitter = new LineSplitter()
    const lines = splitter.push(Buffer.alloc(MAX_LINE_LENGTH * 2 + 5, 'x'))
    expect([...lines, ...splitter.end()].map(({ length }) => length)).toEqual([MAX_LINE_LENGTH, MAX_LINE_LENGTH, 5])
  })
})

import { randomBytes } from 'node:crypto'
import { readdirSync, readlinkSync } from 'node:fs'
import { open as openFile, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import type { CoordinatorLimits } from '../../../daemon/coordinator/coordinator-limits.js'
import { DirectoryBlobStore } from '../../../daemon/store/directory-blob-store.js'
import { temporaryDirectory } from '../store/temporary-directory.js'
import { childProcesses } from '../../support/child-processes.js'
import { connectRaw, get, openCoordinator, type OpenCoordinator, rateWindows } from '../../support/open-coordinator.js'
import type { RawClient } from '../../support/raw-client.js'

/** Larger than the buffers of a connection, and large enough for a `FileSender`. */
const content = randomBytes(24 * 1024 * 1024)

let store: DirectoryBlobStore
let sha256: string
let path: string

beforeEach(async () => {
  const directory = await temporaryDirectory()
  onTestFinished(() => directory.remove())
  store = await DirectoryBlobStore.open(directory.path)
  sha256 = (await store.write(Readable.from([content]))).sha256
  path = join(directory.path, 'sha256', sha256.slice(0, 2), sha256)
})

/** A launch whose package has `content` as its data, in a blob store on disk. */
async function openStored(limits: Partial<CoordinatorLimits> = {}): Promise<OpenCoordinator> {
  const coordinator = await openCoordinator(limits)
  const { handler } = coordinator
  handler.openData = async () => {
    await handler.before('open')
    return await store.open(sha256)
  }
  return coordinator
}

async function download({ url }: OpenCoordinator): Promise<Buffer> {
  const response = await fetch(`${url}/data`)
  expect(response.status).toBe(200)
  return Buffer.from(await response.arrayBuffer())
}

/** The children of `FileSender`s. */
const senders = () => childProcesses('perl')

const opened = () =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(path)
    } catch {
      return false
    }
  })

/** No child and no open file is left. */
async function nothingLeaks(): Promise<void> {
  await expect.poll(senders).toEqual([])
  await expect.poll(opened).toEqual([])
}

/** A client that has requested the data and does not read it, and the child that sends to it. */
async function unread(open: OpenCoordinator): Promise<{ readonly client: RawClient; readonly sender: number }> {
  const client = await connectRaw(open)
  client.socket.pause()
  client.send(get(open, 'data'))
  await expect.poll(senders).toHaveLength(1)
  return { client, sender: senders()[0]! }
}

describe('a blob that has been verified', () => {
  it('is sent by a child process', async () => {
    const open = await openStored()
    const { client } = await unread(open)
    client.socket.resume()
    await expect.poll(() => client.answers.length).toBe(1)
    expect(client.answers[0]!.body.equals(content)).toBe(true)
    await nothingLeaks()
  })

  it('leaves its connection usable', async () => {
    const open = await openStored()
    const client = await connectRaw(open)
    for (const [answered, operation] of ['data', 'meta', 'data', 'meta'].entries()) {
      client.send(get(open, operation))
      await expect.poll(() => client.answers.length).toBe(answered + 1)
    }
    const [first, , second] = client.answers
    expect([first!.body.equals(content), second!.body.equals(content)]).toEqual([true, true])
    await nothingLeaks()
  })

  it('is followed by the answers to pipelined requests, in order', async () => {
    const open = await openStored()
    const client = await connectRaw(open)
    const requests = ['meta', 'data', 'meta', 'data', 'nothing'].map((operation) => get(open, operation).join('\r\n'))
    client.socket.write(`${requests.join('\r\n\r\n')}\r\n\r\n`)
    await expect.poll(() => client.answers.length).toBe(5)
    expect(client.answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 499])
    expect([1, 3].map((at) => client.answers[at]!.body.equals(content))).toEqual([true, true])
    await nothingLeaks()
  })

  it('is complete for a client that has closed its half, and for one that asks to close the connection', async () => {
    const open = await openStored()
    const [half, closing] = [await connectRaw(open), await connectRaw(open)]
    half.send(get(open, 'data')).socket.end()
    closing.send([...get(open, 'data'), 'Connection: close'])
    for (const client of [half, closing]) {
      await client.closed()
      expect(client.answers[0]!.body.equals(content)).toBe(true)
    }
    await nothingLeaks()
  })

  it('is complete for a slow client above the minimum rate', async () => {
    const open = await openStored({ minRate: { bytes: 1, windowMs: 50 } })
    const { client } = await unread(open)
    const timer = setInterval(() => {
      client.socket.resume()
      setImmediate(() => client.socket.pause())
    }, 2)
    onTestFinished(() => clearInterval(timer))
    await expect.poll(() => client.answers.length, { timeout: 10_000 }).toBe(1)
    expect(client.answers[0]!.body.equals(content)).toBe(true)
    await nothingLeaks()
  })

  it('is cut off when the client does not read it', async () => {
    const open = await openStored({ minRate: { bytes: 1, windowMs: 50 } })
    const { client } = await unread(open)
    await nothingLeaks()
    client.socket.resume()
    await client.closed()
    expect(client.answers).toEqual([])
  })

  it('is not cut off while the container is frozen for a snapshot', async () => {
    const open = await openStored({ minRate: { bytes: 1, windowMs: 100 } })
    let thaw: () => void = () => undefined
    open.handler.before = (call) =>
      call.startsWith('snapshot') ? new Promise<void>((resolve) => (thaw = resolve)) : undefined
    const snapshot = fetch(`${open.url}/snapshot`, { method: 'POST' })
    await expect.poll(() => open.handler.calls).toEqual(['snapshot (everything)'])
    const { client } = await unread(open)
    await rateWindows({ bytes: 1, windowMs: 100 }, 4)
    thaw()
    client.socket.resume()
    await snapshot
    await expect.poll(() => client.answers.length).toBe(1)
  })

  it('is not cut off while another one before it on the connection makes progress', async () => {
    const open = await openStored({ minRate: { bytes: 1, windowMs: 200 } })
    const client = await connectRaw(open)
    client.socket.pause()
    client.send(get(open, 'data')).send(get(open, 'data'))
    await expect.poll(opened).toHaveLength(2)
    // The first makes progress in every window, the second in none.
    const timer = setInterval(() => {
      client.socket.resume()
      setImmediate(() => client.socket.pause())
    }, 20)
    onTestFinished(() => clearInterval(timer))
    await rateWindows({ bytes: 1, windowMs: 200 }, 4)
    clearInterval(timer)
    client.socket.resume()
    await expect.poll(() => client.answers.length, { timeout: 10_000 }).toBe(2)
    await nothingLeaks()
  })

  it('is cut off when the client does not read the answer before it on the connection', async () => {
    const open = await openStored({ minRate: { bytes: 1, windowMs: 50 } })
    const template = { path: 'x'.repeat(16_000_000), left_delimiter: '<', right_delimiter: '>' }
    open.handler.meta = { ...open.handler.meta, templates: [template] }
    const client = await connectRaw(open)
    client.socket.pause()
    client.send(get(open, 'meta')).send(get(open, 'data'))
    await expect.poll(opened).toHaveLength(1)
    await nothingLeaks()
    client.socket.resume()
    await client.closed()
    expect(client.answers).toEqual([])
  })

  it('ends when the client closes the connection, as do those that wait behind it', async () => {
    const open = await openStored()
    const { client } = await unread(open)
    client.send(get(open, 'data')).send(get(open, 'data'))
    await expect.poll(opened).toHaveLength(3)
    client.socket.resetAndDestroy()
    await nothingLeaks()
    expect(open.logged).toEqual([])
  })

  it('is not started for a client that closes the connection while the data is opened', async () => {
    const open = await openStored()
    let finish: (() => void) | undefined
    open.handler.before = () => new Promise<void>((resolve) => (finish = resolve))
    const client = await connectRaw(open)
    client.send(get(open, 'data'))
    await expect.poll(() => finish).toBeDefined()
    client.socket.resetAndDestroy()
    // The reset has arrived before this request.
    await fetch(`${open.url}/meta`)
    finish?.()
    await nothingLeaks()
    expect(open.logged).toEqual([])
  })

  it('is cut off at the end of the launch', async () => {
    const open = await openStored({ closeMs: 60_000 })
    const { client } = await unread(open)
    await open.listener.close()
    await nothingLeaks()
    client.socket.resume()
    await client.closed()
    expect(client.answers).toEqual([])
  })

  it('is incomplete, and followed by nothing, when the child is killed', async () => {
    const open = await openStored()
    const { client, sender } = await unread(open)
    client.send(get(open, 'meta'))
    process.kill(sender, 'SIGKILL')
    await nothingLeaks()
    client.socket.resume()
    await client.closed()
    expect(client.answers).toEqual([])
    expect(client.received.match(/HTTP\/1\.1/g)).toHaveLength(1)
    expect(open.logged).toHaveLength(1)
    expect((await download(open)).equals(content)).toBe(true)
  })

  it('is incomplete, and followed by nothing, when its file ends before the announced length', async () => {
    const open = await openStored()
    const { client } = await unread(open)
    client.send(get(open, 'meta'))
    await truncate(path, content.length - 1)
    client.socket.resume()
    await client.closed()
    expect(client.answers).toEqual([])
    expect(client.received.match(/HTTP\/1\.1/g)).toHaveLength(1)
    expect(open.logged).toHaveLength(1)
    await nothingLeaks()
  })

  it('is followed by nothing when the client sends something that is not HTTP', async () => {
    const open = await openStored()
    const { client } = await unread(open)
    client.send(get(open, 'meta'))
    client.socket.write('this is no HTTP\r\n\r\n')
    await nothingLeaks()
    client.socket.resume()
    await client.closed()
    expect(client.received.match(/HTTP\/1\.1/g)).toHaveLength(1)
  })
})

describe('a blob that has not been verified', () => {
  it('is verified while it is sent by Node, and sent by a child the next time', async () => {
    store = await DirectoryBlobStore.open(join(path, '../../..'))
    const open = await openStored()
    const first = await connectRaw(open)
    first.socket.pause()
    first.send(get(open, 'data'))
    await expect.poll(opened).toHaveLength(1)
    expect(senders()).toEqual([])
    first.socket.resume()
    await expect.poll(() => first.answers.length).toBe(1)
    const { client } = await unread(open)
    client.end()
    await nothingLeaks()
  })

  it('is closed when the client closes the connection, also where it waits behind another', async () => {
    store = await DirectoryBlobStore.open(join(path, '../../..'))
    const launch = await openStored()
    const client = await connectRaw(launch)
    client.socket.pause()
    client.send(get(launch, 'data')).send(get(launch, 'data'))
    await expect.poll(opened).toHaveLength(2)
    client.socket.resetAndDestroy()
    await nothingLeaks()
    expect(launch.logged).toEqual([])
  })

  it('is not received as complete when a bit has flipped since the last download', async () => {
    const launch = await openStored()
    expect((await download(launch)).equals(content)).toBe(true)
    const file = await openFile(path, 'r+')
    await file.write(Buffer.of(content[1_000_000]! ^ 1), 0, 1, 1_000_000)
    await file.close()
    for (let again = 0; again < 2; again++) await expect(download(launch)).rejects.toThrow()
    await nothingLeaks()
  })
})

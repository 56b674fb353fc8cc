import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { open as openFile, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import type { CoordinatorLimits } from '../../../daemon/coordinator/coordinator-limits.js'
import { DirectoryBlobStore } from '../../../daemon/store/directory-blob-store.js'
import { temporaryDirectory } from '../store/temporary-directory.js'
import { openCoordinator, type OpenCoordinator } from '../../support/open-coordinator.js'
import { RawClient } from '../../support/raw-client.js'

/** Enough that it neither fits into the buffers of a connection nor is too small for a process of its own. */
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

/** A launch whose package has `content` as its data, in a blob store on the disk. */
async function openStored(limits: Partial<CoordinatorLimits> = {}): Promise<OpenCoordinator> {
  const coordinator = await openCoordinator(limits)
  const { handler } = coordinator
  handler.openData = async () => {
    await handler.before('open')
    return await store.open(sha256)
  }
  return coordinator
}

async function raw({ url }: OpenCoordinator): Promise<RawClient> {
  const client = await RawClient.connect(url)
  onTestFinished(() => client.end())
  return client
}

const get = ({ handler }: OpenCoordinator, operation: string) => [
  `GET /${handler.launch}/${operation} HTTP/1.1`,
  'Host: x',
]

async function download({ url }: OpenCoordinator): Promise<Buffer> {
  const response = await fetch(`${url}/data`)
  expect(response.status).toBe(200)
  return Buffer.from(await response.arrayBuffer())
}

/** Processes that send for us. */
function senders(): readonly number[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return []
    try {
      const parent = /^\d+ \(perl\) . (\d+) /.exec(readFileSync(`/proc/${name}/stat`, 'latin1'))?.[1]
      return parent === String(process.pid) ? [Number(name)] : []
    } catch {
      return []
    }
  })
}

const opened = () =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(path)
    } catch {
      return false
    }
  })

/** Neither a process nor an open file. */
async function nothingLeft(): Promise<void> {
  await expect.poll(senders).toEqual([])
  await expect.poll(opened).toEqual([])
}

/** A client that has asked for the data and does not read it, and the process that sends to it. */
async function asleep(open: OpenCoordinator): Promise<{ readonly client: RawClient; readonly sender: number }> {
  const client = await raw(open)
  client.socket.pause()
  client.send(get(open, 'data'))
  await expect.poll(senders).toHaveLength(1)
  return { client, sender: senders()[0]! }
}

describe('a blob that is known to be good', () => {
  it('is sent whole by a process of its own', async () => {
    const open = await openStored()
    const { client } = await asleep(open)
    client.socket.resume()
    await expect.poll(() => client.answers.length).toBe(1)
    expect(client.answers[0]!.body.equals(content)).toBe(true)
    await nothingLeft()
  })

  it('leaves its connection as good as before', async () => {
    const open = await openStored()
    const client = await raw(open)
    for (const [answered, operation] of ['data', 'meta', 'data', 'meta'].entries()) {
      client.send(get(open, operation))
      await expect.poll(() => client.answers.length).toBe(answered + 1)
    }
    const [first, , second] = client.answers
    expect([first!.body.equals(content), second!.body.equals(content)]).toEqual([true, true])
    await nothingLeft()
  })

  it('is followed by the answers to the requests that were sent behind its own, in order', async () => {
    const open = await openStored()
    const client = await raw(open)
    const requests = ['meta', 'data', 'meta', 'data', 'nothing'].map((operation) => get(open, operation).join('\r\n'))
    client.socket.write(`${requests.join('\r\n\r\n')}\r\n\r\n`)
    await expect.poll(() => client.answers.length).toBe(5)
    expect(client.answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 499])
    expect([1, 3].map((at) => client.answers[at]!.body.equals(content))).toEqual([true, true])
    await nothingLeft()
  })

  it('comes whole to a client that has closed its half, and to one that wants the connection closed', async () => {
    const open = await openStored()
    const [half, closing] = [await raw(open), await raw(open)]
    half.send(get(open, 'data')).socket.end()
    closing.send([...get(open, 'data'), 'Connection: close'])
    for (const client of [half, closing]) {
      await client.closed()
      expect(client.answers[0]!.body.equals(content)).toBe(true)
    }
    await nothingLeft()
  })

  it('comes whole to a slow client that keeps the pace', async () => {
    const open = await openStored({ minRate: { bytes: 1, windowMs: 50 } })
    const { client } = await asleep(open)
    const timer = setInterval(() => {
      client.socket.resume()
      setImmediate(() => client.socket.pause())
    }, 2)
    onTestFinished(() => clearInterval(timer))
    await expect.poll(() => client.answers.length, { timeout: 10_000 }).toBe(1)
    expect(client.answers[0]!.body.equals(content)).toBe(true)
    await nothingLeft()
  })

  it('is cut off when nobody reads it', async () => {
    const open = await openStored({ minRate: { bytes: 1, windowMs: 50 } })
    const { client } = await asleep(open)
    await nothingLeft()
    client.socket.resume()
    await client.closed()
    expect(client.answers).toEqual([])
  })

  it('waits as long as the container stands still for a snapshot', async () => {
    const paceMs = 100
    const open = await openStored({ minRate: { bytes: 1, windowMs: paceMs } })
    let thaw: () => void = () => undefined
    open.handler.before = (call) =>
      call.startsWith('snapshot') ? new Promise<void>((resolve) => (thaw = resolve)) : undefined
    const snapshot = fetch(`${open.url}/snapshot`, { method: 'POST' })
    await expect.poll(() => open.handler.calls).toEqual(['snapshot (everything)'])
    const { client } = await asleep(open)
    await new Promise((resolve) => setTimeout(resolve, 5 * paceMs))
    thaw()
    client.socket.resume()
    await snapshot
    await expect.poll(() => client.answers.length).toBe(1)
  })

  it('is not blamed for the slowness of the one before it on the connection', async () => {
    const paceMs = 200
    const open = await openStored({ minRate: { bytes: 1, windowMs: paceMs } })
    const client = await raw(open)
    client.socket.pause()
    client.send(get(open, 'data')).send(get(open, 'data'))
    await expect.poll(opened).toHaveLength(2)
    // The first moves on in every window; the second has nothing to show all the while.
    const timer = setInterval(() => {
      client.socket.resume()
      setImmediate(() => client.socket.pause())
    }, 20)
    onTestFinished(() => clearInterval(timer))
    await new Promise((resolve) => setTimeout(resolve, 5 * paceMs))
    clearInterval(timer)
    client.socket.resume()
    await expect.poll(() => client.answers.length, { timeout: 10_000 }).toBe(2)
    await nothingLeft()
  })

  it('is cut off when nobody reads the answer before it on the connection', async () => {
    const open = await openStored({ minRate: { bytes: 1, windowMs: 50 } })
    const template = { path: 'x'.repeat(16_000_000), left_delimiter: '<', right_delimiter: '>' }
    open.handler.meta = { ...open.handler.meta, templates: [template] }
    const client = await raw(open)
    client.socket.pause()
    client.send(get(open, 'meta')).send(get(open, 'data'))
    await expect.poll(opened).toHaveLength(1)
    await nothingLeft()
    client.socket.resume()
    await client.closed()
    expect(client.answers).toEqual([])
  })

  it('is sent no further when the client goes, nor are those that wait behind it', async () => {
    const open = await openStored()
    const { client } = await asleep(open)
    client.send(get(open, 'data')).send(get(open, 'data'))
    await expect.poll(opened).toHaveLength(3)
    client.socket.resetAndDestroy()
    await nothingLeft()
    expect(open.logged).toEqual([])
  })

  it('is not begun for a client that goes while the data is opened', async () => {
    const open = await openStored()
    let go: (() => void) | undefined
    open.handler.before = () => new Promise<void>((resolve) => (go = resolve))
    const client = await raw(open)
    client.send(get(open, 'data'))
    await expect.poll(() => go).toBeDefined()
    client.socket.resetAndDestroy()
    // What was sent before this has arrived before it.
    await fetch(`${open.url}/meta`)
    go?.()
    await nothingLeft()
    expect(open.logged).toEqual([])
  })

  it('is cut off at the end of the launch', async () => {
    const open = await openStored({ closeMs: 60_000 })
    const { client } = await asleep(open)
    await open.listener.close()
    await nothingLeft()
    client.socket.resume()
    await client.closed()
    expect(client.answers).toEqual([])
  })

  it('is not whole, and is followed by nothing, when the process that sends it is killed', async () => {
    const open = await openStored()
    const { client, sender } = await asleep(open)
    client.send(get(open, 'meta'))
    process.kill(sender, 'SIGKILL')
    await nothingLeft()
    client.socket.resume()
    await client.closed()
    expect(client.answers).toEqual([])
    expect(client.received.match(/HTTP\/1\.1/g)).toHaveLength(1)
    expect(open.logged).toHaveLength(1)
    expect((await download(open)).equals(content)).toBe(true)
  })

  it('is not whole, and is followed by nothing, when its file ends before the announced length', async () => {
    const open = await openStored()
    const { client } = await asleep(open)
    client.send(get(open, 'meta'))
    await truncate(path, content.length - 1)
    client.socket.resume()
    await client.closed()
    expect(client.answers).toEqual([])
    expect(client.received.match(/HTTP\/1\.1/g)).toHaveLength(1)
    expect(open.logged).toHaveLength(1)
    await nothingLeft()
  })

  it('is not interrupted by what is no request: the connection is closed before it is whole', async () => {
    const open = await openStored()
    const { client } = await asleep(open)
    client.send(get(open, 'meta'))
    client.socket.write('this is no HTTP\r\n\r\n')
    await nothingLeft()
    client.socket.resume()
    await client.closed()
    expect(client.received.match(/HTTP\/1\.1/g)).toHaveLength(1)
  })
})

describe('a blob of which nobody knows', () => {
  it('is verified on its way out, and sent by a process of its own the next time', async () => {
    store = await DirectoryBlobStore.open(join(path, '../../..'))
    const open = await openStored()
    const first = await raw(open)
    first.socket.pause()
    first.send(get(open, 'data'))
    await expect.poll(opened).toHaveLength(1)
    expect(senders()).toEqual([])
    first.socket.resume()
    await expect.poll(() => first.answers.length).toBe(1)
    const { client } = await asleep(open)
    client.end()
    await nothingLeft()
  })

  it('is closed when the client goes, also where it waits behind another', async () => {
    store = await DirectoryBlobStore.open(join(path, '../../..'))
    const launch = await openStored()
    const client = await raw(launch)
    client.socket.pause()
    client.send(get(launch, 'data')).send(get(launch, 'data'))
    await expect.poll(opened).toHaveLength(2)
    client.socket.resetAndDestroy()
    await nothingLeft()
    expect(launch.logged).toEqual([])
  })

  it('is never handed on as a whole when a bit has flipped since the last download', async () => {
    const launch = await openStored()
    expect((await download(launch)).equals(content)).toBe(true)
    const file = await openFile(path, 'r+')
    await file.write(Buffer.of(content[1_000_000]! ^ 1), 0, 1, 1_000_000)
    await file.close()
    for (let again = 0; again < 2; again++) await expect(download(launch)).rejects.toThrow()
    await nothingLeft()
  })
})

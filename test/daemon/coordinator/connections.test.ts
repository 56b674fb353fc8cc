import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { Readable } from 'node:stream'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Fault } from '../../../base/errors.js'
import { Coordinator } from '../../../daemon/coordinator/coordinator.js'
import { MemoryLaunchHandler } from '../../support/memory-launch-handler.js'
import { openCoordinator, type OpenCoordinator } from '../../support/open-coordinator.js'
import { RawClient } from '../../support/raw-client.js'

const SHA256 = createHash('sha256').update('').digest('hex')

async function raw({ url }: OpenCoordinator): Promise<RawClient> {
  const client = await RawClient.connect(url)
  onTestFinished(() => client.end())
  return client
}
const get = ({ handler }: OpenCoordinator, operation: string) => [
  `GET /${handler.launch}/${operation} HTTP/1.1`,
  'Host: x',
]
const upload = ({ handler }: OpenCoordinator) => [
  `POST /${handler.launch}/data?sha256=${SHA256} HTTP/1.1`,
  'Host: x',
  'Content-Length: 1000000',
]

describe('a connection', () => {
  it.each([
    ['sends nothing', ''],
    ['sends half a request line', 'GET /x'],
    ['sends headers for ever', 'GET /x HTTP/1.1\r\nA: b\r\n'],
  ])('that %s is closed when its time for headers is over', async (_, text) => {
    const client = await raw(await openCoordinator({ headerMs: 100 }))
    client.socket.write(text)
    await client.closed()
  })

  it('that asks for CONNECT and is reset before the answer is out harms nobody', async () => {
    const open = await openCoordinator()
    const uncaught: unknown[] = []
    const others = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException').on('uncaughtException', (error) => uncaught.push(error))
    try {
      for (let time = 0; time < 20; time++) {
        const client = await raw(open)
        // The server has accepted it, and what follows reaches it all at once.
        await fetch(`${open.url}/meta`)
        client.socket.write('CONNECT a:1 HTTP/1.1\r\nHost: x\r\n\r\n')
        client.socket.resetAndDestroy()
        await fetch(`${open.url}/meta`)
      }
    } finally {
      process.removeAllListeners('uncaughtException')
      for (const listener of others) process.on('uncaughtException', listener)
    }
    expect(uncaught).toEqual([])
  })

  it('may rest between two requests', async () => {
    const open = await openCoordinator({ headerMs: 100 })
    const client = await raw(open)
    client.send(get(open, 'meta'))
    await expect.poll(() => client.statuses).toEqual([200])
    await new Promise((resolve) => setTimeout(resolve, 400))
    client.send(get(open, 'meta'))
    await expect.poll(() => client.statuses).toEqual([200, 200])
  })

  it('too many is closed at once, and the others go on', async () => {
    const open = await openCoordinator({ sockets: 3 })
    const clients = [await raw(open), await raw(open), await raw(open)]
    const tooMany = await raw(open)
    await tooMany.closed()
    for (const client of clients) {
      client.send(get(open, 'meta'))
      await expect.poll(() => client.statuses).toEqual([200])
    }
  })
})

describe('a body', () => {
  it('that comes slower than the pace is refused, and the connection closed', async () => {
    const open = await openCoordinator({ minRate: { bytes: 100, windowMs: 50 }, lingerMs: 50 })
    const client = await raw(open)
    client.send(upload(open), 'x')
    await client.closed()
    expect(client.received).toMatch(/499 .*came too slowly/s)
    expect(open.handler.calls).toEqual(['replace'])
  })

  it('takes all the time it needs at the pace', async () => {
    const open = await openCoordinator({ minRate: { bytes: 10, windowMs: 300 }, headerMs: 100 })
    const client = await raw(open)
    client.send(upload(open), Buffer.alloc(999_000))
    // Many windows, and several times what headers may take.
    for (let i = 0; i < 10; i++) {
      expect(client.received).toBe('')
      await new Promise((resolve) => setTimeout(resolve, 100))
      client.socket.write(Buffer.alloc(100))
    }
    await expect.poll(() => client.received).toMatch(/The sha256 of the upload is/)
  })

  it('is not blamed for the slowness of the disk', async () => {
    const open = await openCoordinator({ minRate: { bytes: 100, windowMs: 20 } })
    let write: () => void = () => undefined
    open.handler.before = () => new Promise((resolve) => (write = resolve))
    const body = Buffer.alloc(4_000_000, 'x')
    const sha256 = createHash('sha256').update(body).digest('hex')
    const answer = fetch(`${open.url}/data?sha256=${sha256}`, { method: 'POST', body })
    await expect.poll(() => open.handler.calls).toEqual(['replace'])
    await new Promise((resolve) => setTimeout(resolve, 200))
    write()
    expect((await answer).status).toBe(200)
  })
})

describe('a download', () => {
  const large = Buffer.alloc(64_000_000)

  it('that nobody reads is cut off', async () => {
    const open = await openCoordinator({ minRate: { bytes: 100, windowMs: 50 } })
    open.handler.data = large
    const client = await raw(open)
    client.socket.pause()
    client.send(get(open, 'data'))
    await expect.poll(() => open.handler.calls).toEqual(['open'])
    await new Promise((resolve) => setTimeout(resolve, 500))
    client.socket.resume()
    await client.closed()
    expect(client.received.length).toBeLessThan(large.length)
  })

  it('is left alone while the container stands still for a snapshot', async () => {
    const open = await openCoordinator({ minRate: { bytes: 100, windowMs: 250 } })
    open.handler.data = large
    let thaw: () => void = () => undefined
    open.handler.before = (call) =>
      call.startsWith('snapshot') ? new Promise<void>((resolve) => (thaw = resolve)) : undefined
    const snapshot = fetch(`${open.url}/snapshot`, { method: 'POST' })
    await expect.poll(() => open.handler.calls).toEqual(['snapshot (everything)'])
    const download = await fetch(`${open.url}/data`)
    await new Promise((resolve) => setTimeout(resolve, 800))
    thaw()
    expect((await snapshot).status).toBe(200)
    expect((await download.arrayBuffer()).byteLength).toBe(large.length)
  })

  it('beyond the number allowed at once is refused', async () => {
    const open = await openCoordinator({ downloads: 2 })
    open.handler.data = large
    const sleepers = [await raw(open), await raw(open)]
    for (const client of sleepers) client.send(get(open, 'data')).socket.pause()
    await expect.poll(() => open.handler.calls).toEqual(['open', 'open'])
    const refused = await fetch(`${open.url}/data`)
    expect([refused.status, await refused.text()]).toEqual([499, expect.stringMatching(/2 downloads under way/)])
    sleepers[0]!.end()
    await expect.poll(async () => (await fetch(`${open.url}/data`, { method: 'GET' })).status).toBe(200)
  })

  // As a blob with a flipped bit does: every byte is there, and then the digest turns out to be another.
  const damaged = (bytes: number) =>
    Readable.from(
      (function* () {
        for (let at = 0; at < bytes; at += 1000) yield Buffer.alloc(Math.min(1000, bytes - at))
        throw new Fault('blob-corrupt', 'The blob is damaged.')
      })(),
    )

  it.each([
    ['with a length', 5_000_000],
    ['in chunks', undefined],
  ])('that turns out to be damaged at its very end does not come through as whole: %s', async (_, length) => {
    const { handler, url } = await openCoordinator()
    handler.openData = () => Promise.resolve({ stream: damaged(5_000_000), length, trustedFile: undefined })
    await expect(fetch(`${url}/data`).then((response) => response.arrayBuffer())).rejects.toThrow()
  })

  it('that turns out to be damaged before anything has been sent is refused', async () => {
    const { handler, url, logged } = await openCoordinator()
    handler.openData = () => Promise.resolve({ stream: damaged(1000), length: 1000, trustedFile: undefined })
    expect((await fetch(`${url}/data`)).status).toBe(499)
    expect(logged).toHaveLength(1)
  })
})

describe('close', () => {
  it('ends connections in whatever state at once', async () => {
    const open = await openCoordinator({ closeMs: 60_000 })
    open.handler.data = Buffer.alloc(64_000_000)
    const states = {
      idle: '',
      'half a header': 'GET /x HTTP/1.1\r\nHost:',
      'kept alive': `${get(open, 'meta').join('\r\n')}\r\n\r\n`,
      'half a body': `${upload(open).join('\r\n')}\r\n\r\nx`,
      'an unread download': `${get(open, 'data').join('\r\n')}\r\n\r\n`,
    }
    const clients: RawClient[] = []
    for (const [state, text] of Object.entries(states)) {
      const client = await raw(open)
      if (state === 'an unread download') client.socket.pause()
      client.socket.write(text)
      clients.push(client)
    }
    await expect.poll(() => open.handler.calls).toEqual(['replace', 'open'])
    await open.listener.close()
    for (const client of clients) {
      client.socket.resume()
      await client.closed()
    }
    await expect(RawClient.connect(open.url)).rejects.toThrow(/ECONNREFUSED/)
  })

  it('lets the answer to a verdict out, when the verdict is what brings the end', async () => {
    const open = await openCoordinator({ closeMs: 60_000 })
    let closed: Promise<void> | undefined
    open.handler.before = () => {
      closed = open.listener.close()
    }
    const client = await raw(open)
    client.send([`POST /${open.handler.launch}/done HTTP/1.1`, 'Host: x'])
    await client.closed()
    expect(client.received).toMatch(/ 200 OK.*\r\n\r\nOK$/s)
    await closed
  })

  it('does not wait for a verdict that cannot be recorded', async () => {
    const open = await openCoordinator({ closeMs: 50 })
    open.handler.before = () => new Promise(() => undefined)
    const client = await raw(open)
    client.send([`POST /${open.handler.launch}/done HTTP/1.1`, 'Host: x'])
    await expect.poll(() => open.handler.calls).toEqual(['verdict done'])
    await open.listener.close()
    await client.closed()
  })

  it('aborts what is at work, and begins nothing more', async () => {
    const open = await openCoordinator()
    let go: () => void = () => undefined
    open.handler.before = () => new Promise((resolve) => (go = resolve))
    const requests = ['snapshot', 'snapshot', 'relaunch'].map((path) =>
      fetch(`${open.url}/${path}`, { method: 'POST' }),
    )
    const ends = Promise.allSettled(requests)
    await expect.poll(() => open.handler.calls).toEqual(['snapshot (everything)'])
    await open.listener.close()
    go()
    expect((await ends).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
    expect(open.handler.calls).toEqual(['snapshot (everything)'])
    expect(open.logged).toEqual([])
  })

  it('leaves no file descriptor behind', async () => {
    const descriptors = () => readdirSync('/proc/self/fd').length
    const coordinator = new Coordinator({ logger: { error: () => undefined } })
    const before = descriptors()
    for (let launch = 0; launch < 20; launch++) {
      const listener = await coordinator.open(new MemoryLaunchHandler(), '127.0.0.1')
      const clients = await Promise.all(Array.from({ length: 5 }, () => RawClient.connect(listener.url)))
      clients.forEach((client, i) => client.socket.write('GET /x HTTP/1.1\r\n'.slice(0, i * 4)))
      await listener.close()
      clients.forEach((client) => client.end())
    }
    await expect.poll(descriptors).toBeLessThanOrEqual(before + 2)
  })

  it('may be called again', async () => {
    const { listener } = await openCoordinator()
    await Promise.all([listener.close(), listener.close()])
    await listener.close()
  })
})

describe('a listener', () => {
  it('is told from the others of the same coordinator', async () => {
    const coordinator = new Coordinator({ logger: { error: () => undefined } })
    const handlers = [new MemoryLaunchHandler(), new MemoryLaunchHandler()] as const
    const listeners = await Promise.all(handlers.map((handler) => coordinator.open(handler, '127.0.0.1')))
    onTestFinished(async () => void (await Promise.all(listeners.map((listener) => listener.close()))))
    await fetch(`${listeners[0]!.url}/done`, { method: 'POST' })
    expect((await fetch(`${listeners[1]!.url}/meta`)).status).toBe(200)
    const crossed = `http://127.0.0.1:${listeners[1]!.port}/${handlers[0].launch}/meta`
    expect((await fetch(crossed)).status).toBe(452)
    expect([handlers[0].calls, handlers[1].calls]).toEqual([['verdict done'], []])
  })

  it('says where it cannot listen', async () => {
    const coordinator = new Coordinator({ logger: { error: () => undefined } })
    await expect(coordinator.open(new MemoryLaunchHandler(), '192.0.2.1')).rejects.toMatchObject({
      code: 'coordinator-listen',
    })
  })

  it('opens in a moment', async () => {
    const coordinator = new Coordinator({ logger: { error: () => undefined } })
    await (await coordinator.open(new MemoryLaunchHandler(), '127.0.0.1')).close()
    const times: number[] = []
    for (let i = 0; i < 20; i++) {
      const before = performance.now()
      const listener = await coordinator.open(new MemoryLaunchHandler(), '127.0.0.1')
      times.push(performance.now() - before)
      await listener.close()
    }
    const median = times.sort((a, b) => a - b)[10]!
    expect(median).toBeLessThan(20)
  })
})

import { readdirSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Coordinator } from '../../../daemon/coordinator/coordinator.js'
import { MemoryLaunchHandler } from '../../support/memory-launch-handler.js'
import { connectRaw, get, openCoordinator } from '../../support/open-coordinator.js'
import { RawClient } from '../../support/raw-client.js'

describe('close', () => {
  it('ends connections at once, whatever their state', async () => {
    const open = await openCoordinator({ closeMs: 60_000 })
    open.handler.data = Buffer.alloc(64_000_000)
    const path = `/${open.handler.launch}/data?sha256=${'0'.repeat(64)}`
    const upload = [`POST ${path} HTTP/1.1`, 'Host: x', 'Content-Length: 9'].join('\r\n')
    const states = {
      idle: '',
      'half a header': 'GET /x HTTP/1.1\r\nHost:',
      'kept alive': `${get(open, 'meta').join('\r\n')}\r\n\r\n`,
      'half a body': `${upload}\r\n\r\nx`,
      'an unread download': `${get(open, 'data').join('\r\n')}\r\n\r\n`,
    }
    const clients: RawClient[] = []
    for (const [state, text] of Object.entries(states)) {
      const client = await connectRaw(open)
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

  it('waits for the answer to the verdict that ends the launch', async () => {
    const open = await openCoordinator({ closeMs: 60_000 })
    let closed: Promise<void> | undefined
    open.handler.before = () => {
      closed = open.listener.close()
    }
    const client = await connectRaw(open)
    client.send([`POST /${open.handler.launch}/done HTTP/1.1`, 'Host: x'])
    await client.closed()
    expect(client.received).toMatch(/ 200 OK.*\r\n\r\nOK$/s)
    await closed
  })

  it('does not wait for a verdict that cannot be recorded', async () => {
    const open = await openCoordinator({ closeMs: 50 })
    open.handler.before = () => new Promise(() => undefined)
    const client = await connectRaw(open)
    client.send([`POST /${open.handler.launch}/done HTTP/1.1`, 'Host: x'])
    await expect.poll(() => open.handler.calls).toEqual(['verdict done'])
    await open.listener.close()
    await client.closed()
  })

  it('aborts the call in progress, and starts no further one', async () => {
    const open = await openCoordinator()
    let finish: () => void = () => undefined
    open.handler.before = () => new Promise((resolve) => (finish = resolve))
    const requests = ['snapshot', 'snapshot', 'relaunch'].map((path) =>
      fetch(`${open.url}/${path}`, { method: 'POST' }),
    )
    const ends = Promise.allSettled(requests)
    await expect.poll(() => open.handler.calls).toEqual(['snapshot (everything)'])
    await open.listener.close()
    finish()
    expect((await ends).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
    expect(open.handler.calls).toEqual(['snapshot (everything)'])
    expect(open.logged).toEqual([])
  })

  it('leaks no file descriptor', async () => {
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

  it('may be called more than once', async () => {
    const { listener } = await openCoordinator()
    await Promise.all([listener.close(), listener.close()])
    await listener.close()
  })
})

describe('a listener', () => {
  it('serves only its own launch', async () => {
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

  it('has the last port of its address again, or another one where a service of the host has that', async () => {
    const coordinator = new Coordinator({ logger: { error: () => undefined } })
    const open = () => coordinator.open(new MemoryLaunchHandler(), '127.9.9.9')
    const first = await open()
    const { port } = first
    const beside = await open()
    expect(beside.port).not.toBe(port)
    const { port: last } = beside
    await Promise.all([first.close(), beside.close()])
    const again = await open()
    expect(again.port).toBe(last)
    await again.close()
  })

  it('fails with a code of its own if it cannot listen', async () => {
    const coordinator = new Coordinator({ logger: { error: () => undefined } })
    await expect(coordinator.open(new MemoryLaunchHandler(), '192.0.2.1')).rejects.toMatchObject({
      code: 'coordinator-listen',
    })
  })

  it('opens within 20 ms', async () => {
    const coordinator = new Coordinator({ logger: { error: () => undefined } })
    await (await coordinator.open(new MemoryLaunchHandler(), '127.0.0.1')).close()
    const times: number[] = []
    for (let i = 0; i < 20; i++) {
      const before = performance.now()
      const listener = await coordinator.open(new MemoryLaunchHandler(), '127.0.0.1')
      times.push(performance.now() - before)
      await listener.close()
    }
    // The fastest, because other processes of the host delay some.
    expect(Math.min(...times)).toBeLessThan(20)
  })
})

import { describe, expect, it } from 'vitest'
import { connectRaw, get, openCoordinator } from '../../support/open-coordinator.js'

describe('a connection', () => {
  it.each([
    ['sends nothing', ''],
    ['sends half a request line', 'GET /x'],
    ['never ends its headers', 'GET /x HTTP/1.1\r\nA: b\r\n'],
  ])('that %s is closed when its time for headers is over', async (_, text) => {
    const client = await connectRaw(await openCoordinator({ headerMs: 100 }))
    client.socket.write(text)
    await client.closed()
  })

  it('that asks for CONNECT and is reset before the answer is sent does not end the daemon', async () => {
    const open = await openCoordinator()
    const uncaught: unknown[] = []
    const others = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException').on('uncaughtException', (error) => uncaught.push(error))
    try {
      for (let time = 0; time < 20; time++) {
        const client = await connectRaw(open)
        // After this the server has accepted the connection, so that it gets the request and the reset together.
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

  it('may be idle between two requests', async () => {
    const open = await openCoordinator({ headerMs: 100 })
    const client = await connectRaw(open)
    client.send(get(open, 'meta'))
    await expect.poll(() => client.statuses).toEqual([200])
    // A younger connection that sends nothing has exceeded the time for headers.
    await (await connectRaw(open)).closed()
    client.send(get(open, 'meta'))
    await expect.poll(() => client.statuses).toEqual([200, 200])
  })

  it('beyond the limit is closed at once, and the others stay usable', async () => {
    const open = await openCoordinator({ sockets: 3 })
    const clients = [await connectRaw(open), await connectRaw(open), await connectRaw(open)]
    const tooMany = await connectRaw(open)
    await tooMany.closed()
    for (const client of clients) {
      client.send(get(open, 'meta'))
      await expect.poll(() => client.statuses).toEqual([200])
    }
  })
})

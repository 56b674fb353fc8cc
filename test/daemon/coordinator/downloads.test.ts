import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { Fault } from '../../../base/errors.js'
import { connectRaw, get, openCoordinator, rateWindows } from '../../support/open-coordinator.js'

const LARGE = Buffer.alloc(64_000_000)

describe('a download', () => {
  it('that the client does not read is cut off', async () => {
    const open = await openCoordinator({ minRate: { bytes: 100, windowMs: 50 } })
    const stream = Readable.from(pieces(LARGE.length))
    open.handler.openData = () => Promise.resolve({ stream, length: LARGE.length, trustedFile: undefined })
    const client = await connectRaw(open)
    client.socket.pause()
    client.send(get(open, 'data'))
    await expect.poll(() => stream.destroyed, { timeout: 5_000 }).toBe(true)
    client.socket.resume()
    await client.closed()
    expect(client.received.length).toBeLessThan(LARGE.length)
    expect(open.logged).toEqual([])
  })

  it('is not cut off while the container is frozen for a snapshot', async () => {
    // Client and server share a thread, which a busy host can hold up for longer than a short window.
    const minRate = { bytes: 100, windowMs: 1000 }
    const open = await openCoordinator({ minRate })
    open.handler.data = LARGE
    let thaw: () => void = () => undefined
    open.handler.before = (call) =>
      call.startsWith('snapshot') ? new Promise<void>((resolve) => (thaw = resolve)) : undefined
    const snapshot = fetch(`${open.url}/snapshot`, { method: 'POST' })
    await expect.poll(() => open.handler.calls).toEqual(['snapshot (everything)'])
    const download = await fetch(`${open.url}/data`)
    await rateWindows(minRate, 2)
    thaw()
    expect((await snapshot).status).toBe(200)
    expect((await download.arrayBuffer()).byteLength).toBe(LARGE.length)
  })

  it('beyond the number allowed at once is refused', async () => {
    const open = await openCoordinator({ downloads: 2 })
    open.handler.data = LARGE
    const idle = [await connectRaw(open), await connectRaw(open)]
    for (const client of idle) client.send(get(open, 'data')).socket.pause()
    await expect.poll(() => open.handler.calls).toEqual(['open', 'open'])
    const refused = await fetch(`${open.url}/data`)
    expect([refused.status, await refused.text()]).toEqual([499, expect.stringMatching(/2 downloads under way/)])
    idle[0]!.end()
    await expect.poll(async () => (await fetch(`${open.url}/data`, { method: 'GET' })).status).toBe(200)
  })
})

describe('a damaged blob, whose digest is known to differ only after its last byte', () => {
  const damaged = (length: number) =>
    Readable.from(
      (function* () {
        yield* pieces(length)
        throw new Fault('blob-corrupt', 'The blob is damaged.')
      })(),
    )

  it.each([
    ['with a length', 5_000_000],
    ['in chunks', undefined],
  ])('is not received as complete, and is logged: %s', async (_, length) => {
    const { handler, url, logged } = await openCoordinator()
    handler.openData = () => Promise.resolve({ stream: damaged(5_000_000), length, trustedFile: undefined })
    await expect(fetch(`${url}/data`).then((response) => response.arrayBuffer())).rejects.toThrow()
    expect(logged).toEqual([expect.objectContaining({ launch: handler.launch, operation: 'data' })])
  })

  it('is refused if nothing has been sent yet', async () => {
    const { handler, url, logged } = await openCoordinator()
    handler.openData = () => Promise.resolve({ stream: damaged(1000), length: 1000, trustedFile: undefined })
    expect((await fetch(`${url}/data`)).status).toBe(499)
    expect(logged).toHaveLength(1)
  })
})

function* pieces(length: number): Generator<Buffer> {
  for (let at = 0; at < length; at += 1000) yield Buffer.alloc(Math.min(1000, length - at))
}

import { createHash } from 'node:crypto'
import { describe, expect, it, onTestFinished } from 'vitest'
import { connectRaw, openCoordinator, type OpenCoordinator, rateWindows } from '../../support/open-coordinator.js'

const LENGTH = 1_000_000

const upload = ({ handler }: OpenCoordinator, sha256: string) => [
  `POST /${handler.launch}/data?sha256=${sha256} HTTP/1.1`,
  'Host: x',
  `Content-Length: ${LENGTH}`,
]
const sha256Of = (body: Buffer) => createHash('sha256').update(body).digest('hex')

describe('an upload', () => {
  it('below the minimum rate is refused, and the connection closed', async () => {
    const open = await openCoordinator({ minRate: { bytes: 100, windowMs: 50 }, lingerMs: 50 })
    const client = await connectRaw(open)
    client.send(upload(open, sha256Of(Buffer.alloc(LENGTH))), 'x')
    await client.closed()
    expect(client.received).toMatch(/499 .*came too slowly/s)
    expect(open.handler.calls).toEqual(['replace'])
  })

  it('at the minimum rate may take many times as long as headers', async () => {
    const open = await openCoordinator({ minRate: { bytes: 10, windowMs: 1000 }, headerMs: 100 })
    const client = await connectRaw(open)
    const body = Buffer.alloc(LENGTH)
    client.send(upload(open, sha256Of(body)), body.subarray(0, LENGTH / 2))
    let sent = LENGTH / 2
    const trickle = setInterval(() => {
      client.socket.write(body.subarray(sent, sent + 100))
      sent += 100
    }, 50)
    onTestFinished(() => clearInterval(trickle))
    await rateWindows({ bytes: 10, windowMs: 1000 }, 3)
    clearInterval(trickle)
    expect(client.received).toBe('')
    client.socket.write(body.subarray(sent))
    await expect.poll(() => client.statuses).toEqual([200])
  })

  it('is not refused while the handler is the slow side', async () => {
    const open = await openCoordinator({ minRate: { bytes: 100, windowMs: 20 } })
    let write: () => void = () => undefined
    open.handler.before = () => new Promise((resolve) => (write = resolve))
    const body = Buffer.alloc(4_000_000, 'x')
    const answer = fetch(`${open.url}/data?sha256=${sha256Of(body)}`, { method: 'POST', body })
    await expect.poll(() => open.handler.calls).toEqual(['replace'])
    await rateWindows({ bytes: 100, windowMs: 20 }, 5)
    write()
    expect((await answer).status).toBe(200)
  })
})

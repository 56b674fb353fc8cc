import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { Fault } from '../../../base/errors.js'
import { connectRaw, openCoordinator } from '../../support/open-coordinator.js'

const form = (text: string) => ({ method: 'PUT', body: new URLSearchParams(text) })

// The status codes have a table of their own, which looks for the line of each refusal.
describe('the log of the staging gets a line', () => {
  it('that has what was asked for, the number, its name and the text', async () => {
    const { url, handler } = await openCoordinator()
    await fetch(`${url}/meta`, form('resource=labels&action=add'))
    expect(handler.refusals).toEqual([
      expect.stringMatching(/^PUT \/meta was refused with 448 \(Resource Not Supported\): .*"labels" is not supported/),
    ])
  })

  it('when stagerd itself fails, without details of the host', async () => {
    const { url, handler } = await openCoordinator()
    handler.before = () => Promise.reject(new Fault('mount-failed', 'cannot mount /var/lib/stagerd/launches/x'))
    await fetch(`${url}/snapshot`, { method: 'POST' })
    expect(handler.refusals).toEqual([
      'POST /snapshot was refused with 499 (Stager Request Failed): stagerd failed (mount-failed): its log says why, and the stager is not to blame.',
    ])
  })

  it('when an answer is broken off', async () => {
    const { url, handler } = await openCoordinator()
    const chunks = function* () {
      yield Buffer.alloc(300_000)
      yield Buffer.alloc(300_000)
      throw new Fault('blob-corrupt', 'The blob is damaged.')
    }
    handler.openData = () =>
      Promise.resolve({ stream: Readable.from(chunks()), length: 600_000, trustedFile: undefined })
    await expect(fetch(`${url}/data`).then((response) => response.arrayBuffer())).rejects.toThrow()
    expect(handler.refusals).toEqual([
      expect.stringMatching(/^The answer to GET \/data was broken off: stagerd failed \(blob-corrupt\)/),
    ])
  })

  it('when a download is cut off because the client does not read it', async () => {
    const open = await openCoordinator({ minRate: { bytes: 100, windowMs: 50 } })
    open.handler.data = Buffer.alloc(64_000_000)
    const client = await connectRaw(open)
    client.socket.pause()
    client.send([`GET /${open.handler.launch}/data HTTP/1.1`, 'Host: x'])
    await expect
      .poll(() => open.handler.refusals, { timeout: 5_000 })
      .toEqual([
        'The answer to GET /data was broken off: The client read more slowly than 100 bytes in 0.05 seconds: read the answer as it comes.',
      ])
  })

  it('when what arrives is not HTTP', async () => {
    const open = await openCoordinator()
    const client = await connectRaw(open)
    client.socket.write('SSH-2.0-OpenSSH_9.2\r\n')
    await client.closed()
    expect(open.handler.refusals).toEqual([expect.stringMatching(/^A request was refused with 499 .*plain HTTP\/1\.1/)])
  })

  it('when a connection is one too many', async () => {
    const open = await openCoordinator({ sockets: 1 })
    await connectRaw(open)
    await (await connectRaw(open)).closed()
    expect(open.handler.refusals).toEqual([expect.stringMatching(/closed on arrival: this launch has 1 open/)])
  })

  it('without control characters, whatever the stager sends', async () => {
    const { url, handler } = await openCoordinator()
    const resource = 'a\u001b[31m\u009b31m\u0085b\u202ec\u2028d'
    await fetch(`${url}/meta`, { method: 'PUT', body: new URLSearchParams({ resource, action: 'add' }) })
    expect(handler.refusals).toEqual([
      expect.stringContaining(String.raw`"a\u001b[31m\u009b31m\u0085b\u202ec\u2028d" is not supported`),
    ])
  })
})

describe('a stager in a loop', () => {
  it('that sends the same again and again does not hide what it sends afterwards', async () => {
    const { url, handler } = await openCoordinator()
    for (let n = 0; n < 50; n++) await fetch(`${url}/nothing`)
    await fetch(`${url}/meta`, form('resource=labels'))
    expect(handler.refusals).toHaveLength(7)
    expect(handler.refusals[5]).toBe('Further refusals like this one are not logged.')
    expect(handler.refusals[6]).toMatch(/ 448 /)
  })

  it('that always sends something else cannot fill the log', async () => {
    const { url, handler } = await openCoordinator()
    for (let n = 0; n < 300; n++) await fetch(`${url}/${'x'.repeat(5000)}${n}`)
    for (let n = 0; n < 300; n++) await fetch(`${url}/${randomUUID()}${'x'.repeat(5000)}`)
    expect(handler.refusals.length).toBeLessThanOrEqual(102)
    expect(handler.refusals.at(-1)).toMatch(/^Further refusals of this launch are not logged/)
    expect(Math.max(...handler.refusals.map(({ length }) => length))).toBeLessThan(1500)
  })
})

it('a request without a Host header, which Node would refuse with 400, is answered', async () => {
  const open = await openCoordinator()
  const client = await connectRaw(open)
  client.send([`GET /${open.handler.launch}/meta HTTP/1.1`])
  await expect.poll(() => client.statuses).toEqual([200])
})

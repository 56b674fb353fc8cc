import { createHash, randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { connectRaw, get, openCoordinator, type OpenCoordinator } from '../../support/open-coordinator.js'
import type { RawClient } from '../../support/raw-client.js'

const DATA = 'twenty-six bytes of a tar.'
const SHA256 = createHash('sha256').update(DATA).digest('hex')

const until = (client: RawClient, text: string | RegExp) =>
  expect.poll(() => client.received, { timeout: 5_000, interval: 5 }).toMatch(text)
const put = (launch: string, key: string, value: string): [string[], string] => {
  const body = `resource=environment&action=add&key=${key}&value=${value}`
  return [
    [
      `PUT /${launch}/meta HTTP/1.1`,
      'Host: x',
      'Content-Type: application/x-www-form-urlencoded',
      `Content-Length: ${body.length}`,
    ],
    body,
  ]
}

describe('an upload whose length', () => {
  it.each([
    ['is missing', [], 'You must provide a Content-Length when uploading'],
    ['is replaced by chunks', ['Transfer-Encoding: chunked'], 'You must provide a Content-Length when uploading'],
    ['exceeds the safe integers', ['Content-Length: 9007199254740993'], 'is not a Content-Length'],
  ])('%s is refused, and nothing is stored', async (_, headers, text) => {
    const open = await openCoordinator()
    const client = await connectRaw(open)
    client.send([`POST /${open.handler.launch}/data?sha256=${SHA256} HTTP/1.1`, 'Host: x', ...headers])
    await until(client, text)
    expect(client.statuses).toEqual([499])
    expect(open.handler.calls).toEqual([])
  })
})

describe('an upload that is cut short', () => {
  const begun = async (open: OpenCoordinator) => {
    const client = await connectRaw(open)
    client.send(
      [`POST /${open.handler.launch}/data?sha256=${SHA256} HTTP/1.1`, 'Host: x', 'Content-Length: 26'],
      DATA.slice(0, 10),
    )
    await expect.poll(() => open.handler.calls).toEqual(['replace'])
    return client
  }
  const stored = ({ handler }: OpenCoordinator) => handler.calls.some((call) => call.startsWith('replaced'))

  it('by a half-close gets that answer, and nothing is stored', async () => {
    const open = await openCoordinator()
    const client = await begun(open)
    client.socket.end()
    await client.closed()
    expect(client.received).toMatch(/^HTTP\/1.1 499 .*The body was cut short after 10 bytes: nothing of it is kept\.$/s)
    expect(stored(open)).toBe(false)
  })

  it('by a reset stores nothing, and the next upload succeeds', async () => {
    const open = await openCoordinator()
    const client = await begun(open)
    client.socket.resetAndDestroy()
    const again = () => fetch(`${open.url}/data?sha256=${SHA256}`, { method: 'POST', body: DATA })
    await expect.poll(async () => (await again()).status).toBe(200)
    expect(open.handler.data.toString()).toBe(DATA)
    expect(open.logged).toEqual([])
  })

  it('is neither a form nor a verdict', async () => {
    const open = await openCoordinator()
    for (const operation of ['meta', 'snapshot', 'done']) {
      const client = await connectRaw(open)
      client.send(
        [`POST /${open.handler.launch}/${operation} HTTP/1.1`, 'Host: x', 'Content-Length: 100'],
        'directory=/a',
      )
      client.socket.end()
      await client.closed()
      expect(client.received).toContain('cut short')
    }
    expect(open.handler.calls).toEqual([])
  })
})

describe('a client that closes its half after the request', () => {
  it('gets its answer', async () => {
    const open = await openCoordinator()
    const client = await connectRaw(open)
    client.send([`POST /${open.handler.launch}/done HTTP/1.1`, 'Host: x']).socket.end()
    await client.closed()
    expect(client.received).toMatch(/ 200 OK.*\r\n\r\nOK$/s)
  })
})

describe('two uploads at once', () => {
  it('the second is refused, and the first continues', async () => {
    const open = await openCoordinator()
    const first = await connectRaw(open)
    const head = [`POST /${open.handler.launch}/data?sha256=${SHA256} HTTP/1.1`, 'Host: x', 'Content-Length: 26']
    first.send(head, DATA.slice(0, 10))
    await expect.poll(() => open.handler.calls).toEqual(['replace'])
    const second = await connectRaw(open)
    second.send(head, DATA)
    await until(second, 'Another upload of this launch is under way')
    first.socket.write(DATA.slice(10))
    await until(first, /200 OK/)
    expect(open.handler.data.toString()).toBe(DATA)
  })
})

describe('order', () => {
  it('skips a change whose client is gone before its body has arrived', async () => {
    const open = await openCoordinator()
    const gone = await connectRaw(open)
    const [head, body] = put(open.handler.launch, 'A', '1')
    gone.send(head, body.slice(0, 5))
    // After this its headers have arrived, so it comes before the change below.
    await fetch(`${open.url}/meta`)
    gone.socket.resetAndDestroy()
    const next = await fetch(`${open.url}/meta`, { method: 'PUT', body: new URLSearchParams(body) })
    expect(next.status).toBe(200)
    expect(open.handler.calls).toEqual(['alter environment add'])
  })

  it('of pipelined changes is that of their arrival, and a read behind them sees them all', async () => {
    const open = await openCoordinator()
    const { launch } = open.handler
    open.handler.before = () => new Promise((resolve) => setImmediate(resolve))
    const client = await connectRaw(open)
    for (let i = 0; i < 20; i++) client.send(...put(launch, 'K', String(i)))
    client.send(get(open, 'meta'))
    client.send([`POST /${launch}/relaunch HTTP/1.1`, 'Host: x'])
    client.send(...put(launch, 'K', 'too late'))
    await until(client, /ended with relaunch/)
    expect(client.statuses).toEqual([...Array.from({ length: 22 }, () => 200), 452])
    expect(client.received).toContain('"environment":{"K":"19"}')
    expect(open.handler.calls.at(-1)).toBe('verdict relaunch')
  })

  it('makes a verdict wait for the upload before it, on any connection, but not a read', async () => {
    const open = await openCoordinator()
    const { launch } = open.handler
    const [upload, verdict] = [await connectRaw(open), await connectRaw(open)]
    const head = [`POST /${launch}/data?sha256=${SHA256} HTTP/1.1`, 'Host: x', 'Content-Length: 26']
    upload.send(head, DATA.slice(0, 10))
    await expect.poll(() => open.handler.calls).toEqual(['replace'])
    verdict.send([`POST /${launch}/done HTTP/1.1`, 'Host: x'])
    // The verdict has arrived before this read, and waits.
    expect((await fetch(`${open.url}/meta`)).status).toBe(200)
    expect(verdict.received).toBe('')
    upload.socket.write(DATA.slice(10))
    await until(verdict, /200 OK/)
    expect(open.handler.calls).toEqual(['replace', 'replaced 26', 'verdict done'])
  })

  it.each([
    [['done', 'failed'], 'done'],
    [['failed', 'done'], 'failed'],
  ])('decides between the verdicts %j: the first one counts', async (verdicts, counts) => {
    const open = await openCoordinator()
    const client = await connectRaw(open)
    for (const verdict of verdicts) client.send([`POST /${open.handler.launch}/${verdict} HTTP/1.1`, 'Host: x'])
    await until(client, /452/)
    expect(client.statuses).toEqual([200, 452])
    expect(open.handler.calls).toEqual([`verdict ${counts}`])
  })
})

describe('metadata', () => {
  it('of ten megabytes is refused before it arrives', async () => {
    const open = await openCoordinator()
    const client = await connectRaw(open)
    client.send([`PUT /${open.handler.launch}/meta HTTP/1.1`, 'Host: x', 'Content-Length: 10000000'])
    await until(client, /499 .*at most 256 KiB/s)
  })

  it('of ten megabytes, in chunks, is refused as soon as it exceeds the limit', async () => {
    const open = await openCoordinator()
    const client = await connectRaw(open)
    client.send([`PUT /${open.handler.launch}/meta HTTP/1.1`, 'Host: x', 'Transfer-Encoding: chunked'])
    const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`
    for (let i = 0; i < 5; i++) client.socket.write(chunk)
    await until(client, /499 .*at most 256 KiB/s)
    expect(open.handler.calls).toEqual([])
  })

  it('with a damaged chunk is refused', async () => {
    const open = await openCoordinator()
    const client = await connectRaw(open)
    client.send(
      [`PUT /${open.handler.launch}/meta HTTP/1.1`, 'Host: x', 'Transfer-Encoding: chunked'],
      'zz\r\nhello\r\n',
    )
    await client.closed()
    expect(client.statuses).toEqual([499])
  })
})

describe('a refused upload', () => {
  it('is read to its end, so that the client reads the refusal and can use the connection', async () => {
    const open = await openCoordinator()
    const client = await connectRaw(open)
    const body = Buffer.alloc(8_000_000)
    client.send([`POST /${open.handler.launch}/data HTTP/1.1`, 'Host: x', `Content-Length: ${body.length}`], body)
    client.send(get(open, 'meta'))
    await until(client, /499 .*no checksum.* 200 OK/s)
  })

  it('gets no 100 Continue', async () => {
    const open = await openCoordinator()
    const client = await connectRaw(open)
    client.send([
      `POST /${open.handler.launch}/data HTTP/1.1`,
      'Host: x',
      'Content-Length: 8000000',
      'Expect: 100-continue',
    ])
    await client.closed()
    expect(client.statuses).toEqual([499])
  })

  it('that never ends is cut off', async () => {
    const open = await openCoordinator({ lingerMs: 50 })
    const client = await connectRaw(open)
    client.send([`POST /${open.handler.launch}/data HTTP/1.1`, 'Host: x', 'Content-Length: 8000000'], 'x')
    await client.closed()
    expect(client.statuses).toEqual([499])
  })
})

describe('100 Continue', () => {
  it('is sent when it is the turn of the upload', async () => {
    const open = await openCoordinator()
    const client = await connectRaw(open)
    client.send([
      `POST /${open.handler.launch}/data?sha256=${SHA256} HTTP/1.1`,
      'Host: x',
      'Content-Length: 26',
      'Expect: 100-continue',
    ])
    await until(client, /^HTTP\/1.1 100 Continue\r\n\r\n$/)
    client.socket.write(DATA)
    await until(client, /200 OK/)
    expect(open.handler.data.toString()).toBe(DATA)
  })
})

describe('input that is not HTTP', () => {
  it.each([
    ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['TLS', Buffer.from('16030100a5010000a10303', 'hex')],
    ['an endless header', `GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}`],
    ['endless headers', `GET / HTTP/1.1\r\n${'X-Header: value\r\n'.repeat(5_000)}`],
    ['an endless path', `GET /${'x'.repeat(20_000)}`],
    ['CONNECT', 'CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n'],
  ])('is refused, and the connection closed: %s', async (_, bytes) => {
    const open = await openCoordinator()
    const client = await connectRaw(open)
    client.socket.write(bytes)
    await client.closed()
    expect(client.statuses).toEqual([499])
  })

  it('does not include a request for another host name, with an absolute target, or of HTTP/1.0', async () => {
    const open = await openCoordinator()
    for (const line of [
      `http://elsewhere/${open.handler.launch}/meta HTTP/1.1`,
      `/${open.handler.launch}/meta HTTP/1.0`,
    ]) {
      const client = await connectRaw(open)
      client.send([`GET ${line}`, 'Host: elsewhere'])
      await until(client, /200 OK.*"dependencies"/s)
    }
  })

  it('a UUID in a header or a query does not select the launch', async () => {
    const open = await openCoordinator()
    const client = await connectRaw(open)
    client.send([`GET /${randomUUID()}/meta?uuid=${open.handler.launch} HTTP/1.1`, `Host: ${open.handler.launch}`])
    await until(client, / 452 /)
  })
})

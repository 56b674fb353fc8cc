import { Readable } from 'node:stream'
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { HttpSession } from '../../../daemon/coordinator/http-session.js'
import { MemoryLaunchHandler } from '../../support/memory-launch-handler.js'
import { openCoordinator, type OpenCoordinator, rateWindows } from '../../support/open-coordinator.js'
import { RawClient } from '../../support/raw-client.js'

const LIMITS = { minRate: { bytes: 100, windowMs: 100 }, lingerMs: 50 }
const FORM = 'action=add&resource=dependency&type=os&name=linux'

async function send(open: OpenCoordinator, request: string, headers: readonly string[], body = ''): Promise<RawClient> {
  const client = await RawClient.connect(open.url)
  onTestFinished(() => client.end())
  const [method, operation] = request.split(' ')
  return client.send([`${method} /${open.handler.launch}/${operation} HTTP/1.1`, 'Host: x', ...headers], body)
}

/** A snapshot that waits where `at` says, until `goOn` is called. */
async function snapshotUnderWay(open: OpenCoordinator, at: 'frozen' | 'thawed') {
  let goOn = (): void => undefined
  const wait = () => new Promise<void>((resolve) => (goOn = resolve))
  let isThere = false
  const stop = () => {
    isThere = true
    return wait()
  }
  if (at === 'frozen') open.handler.before = (call) => (call.startsWith('snapshot') ? stop() : undefined)
  else open.handler.afterThaw = stop
  const answer = fetch(`${open.url}/snapshot`, { method: 'POST' })
  await expect.poll(() => isThere).toBe(true)
  return { answer, goOn: () => goOn() }
}

/** A form of which only half has arrived. */
const halfForm = (open: OpenCoordinator) =>
  send(
    open,
    'PUT meta',
    ['Content-Type: application/x-www-form-urlencoded', `Content-Length: ${FORM.length}`],
    FORM.slice(0, 10),
  )

/** A download that its client does not read; it is destroyed when the connection is. */
async function unreadDownload(open: OpenCoordinator) {
  const stream = Readable.from(pieces(), { objectMode: false })
  open.handler.openData = () => Promise.resolve({ stream, length: undefined, trustedFile: undefined })
  const client = await send(open, 'GET data', [])
  client.socket.pause()
  await expect.poll(() => stream.readableDidRead).toBe(true)
  return { stream, client }
}

function* pieces(): Generator<Buffer> {
  for (;;) yield Buffer.alloc(64 * 1024)
}

describe('while a snapshot keeps the container frozen', () => {
  it('a body that does not arrive is waited for', async () => {
    const open = await openCoordinator(LIMITS)
    const { answer, goOn } = await snapshotUnderWay(open, 'frozen')
    const form = await halfForm(open)
    await rateWindows(LIMITS.minRate, 2)
    expect(form.received).toBe('')
    goOn()
    form.socket.write(FORM.slice(10))
    expect((await answer).status).toBe(200)
    await expect.poll(() => form.statuses).toHaveLength(1)
    expect(form.received).not.toMatch(/too slowly/)
  })

  it('a download that nobody reads goes on', async () => {
    const open = await openCoordinator(LIMITS)
    const { answer, goOn } = await snapshotUnderWay(open, 'frozen')
    const { stream } = await unreadDownload(open)
    await rateWindows(LIMITS.minRate, 2)
    expect(stream.destroyed).toBe(false)
    goOn()
    expect((await answer).status).toBe(200)
  })
})

describe('while the container is frozen to measure what it has written', () => {
  const limits = { ...LIMITS, headerMs: 50 }

  it('a body that does not arrive is waited for', async () => {
    const open = await openCoordinator(limits)
    open.listener.freezeHooks.onFreeze?.()
    const form = await halfForm(open)
    await rateWindows(LIMITS.minRate, 2)
    expect(form.received).toBe('')
    open.listener.freezeHooks.onThaw?.()
    await form.closed()
    expect(form.received).toMatch(/499 .*came too slowly/s)
  })

  it('headers that do not arrive are waited for, and refused after the thaw', async () => {
    const open = await openCoordinator(limits)
    const [waiting, idle] = [await RawClient.connect(open.url), await RawClient.connect(open.url)]
    for (const client of [waiting, idle]) onTestFinished(() => client.end())
    open.listener.freezeHooks.onFreeze?.()
    const head = `GET /${open.handler.launch}/meta HTTP/1.1\r\nHost: x\r\n`
    for (const client of [waiting, idle]) client.socket.write(head.slice(0, 20))
    await rateWindows(LIMITS.minRate, 2)
    expect([waiting.received, idle.received]).toEqual(['', ''])
    open.listener.freezeHooks.onThaw?.()
    waiting.socket.write(`${head.slice(20)}\r\n`)
    await expect.poll(() => waiting.statuses).toEqual([200])
    await idle.closed()
  })

  it('a client that has not read its refusal is waited for', async () => {
    const open = await openCoordinator(limits)
    open.listener.freezeHooks.onFreeze?.()
    const client = await send(open, 'POST nothing', ['Content-Length: 100'], 'half')
    await expect.poll(() => client.statuses).toHaveLength(1)
    await rateWindows(LIMITS.minRate, 2)
    expect(client.socket.destroyed || client.socket.readableEnded).toBe(false)
    open.listener.freezeHooks.onThaw?.()
    await client.closed()
  })
})

describe('after the thaw, while the archive is still being stored', () => {
  it('a body that does not arrive is refused', async () => {
    const open = await openCoordinator(LIMITS)
    const { answer, goOn } = await snapshotUnderWay(open, 'thawed')
    const form = await halfForm(open)
    await form.closed()
    expect(form.received).toMatch(/499 .*came too slowly/s)
    goOn()
    expect((await answer).status).toBe(200)
  })

  it('a download that nobody reads is cut off', async () => {
    const open = await openCoordinator(LIMITS)
    const { answer, goOn } = await snapshotUnderWay(open, 'thawed')
    const { stream } = await unreadDownload(open)
    await expect.poll(() => stream.destroyed, { timeout: 5_000 }).toBe(true)
    goOn()
    expect((await answer).status).toBe(200)
  })
})

describe('a session', () => {
  afterEach(() => void vi.useRealTimers())

  it('knows of a freeze that has begun and ended since it was asked last', () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    const session = new HttpSession(new MemoryLaunchHandler())
    const { onFreeze, onThaw } = session.freezeHooks
    vi.advanceTimersByTime(1000)
    expect(session.frozenWithin(100)).toBe(false)
    onFreeze?.()
    vi.advanceTimersByTime(1000)
    expect(session.frozenWithin(100)).toBe(true)
    onThaw?.()
    vi.advanceTimersByTime(99)
    expect(session.frozenWithin(100)).toBe(true)
    vi.advanceTimersByTime(1)
    expect(session.frozenWithin(100)).toBe(false)
  })
})

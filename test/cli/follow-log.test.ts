import { describe, expect, test } from 'vitest'
import { ControlApi } from '../../cli/api/control-api.js'
import { DaemonUnreachable } from '../../cli/api/daemon-unreachable.js'
import { followLog, type FollowLog } from '../../cli/follow/follow-log.js'
import type { LogLine } from '../../daemon/documents/staging.js'
import { ended, line, STAGING_ID } from './support/documents.js'
import { EventStream } from './support/event-stream.js'
import { FakeProblem } from './support/fake-api.js'
import { useHarness } from './support/harness.js'

const harness = useHarness()

async function follow(overrides: Partial<FollowLog> = {}) {
  const lines: LogLine[] = []
  const disconnects: number[] = []
  const control = new ControlApi({ kind: 'socket', path: harness().api.socket })
  try {
    const staging = await followLog(control, {
      staging: STAGING_ID,
      since: 0,
      follow: true,
      retryDelay: 1,
      signal: AbortSignal.timeout(10_000),
      onLine: async (each) => void lines.push(await Promise.resolve(each)),
      onDisconnected: async () => void disconnects.push(await Promise.resolve(lines.length)),
      ...overrides,
    })
    return { staging, texts: lines.map(({ text }) => text), disconnects }
  } finally {
    await control.close()
  }
}

const LOG = `/v1/stagings/${STAGING_ID}/log`

describe('followLog', () => {
  test('delivers each line once when the daemon crashes repeatedly', async () => {
    const { api } = harness()
    const since: unknown[] = []
    api.on('GET /v1/stagings/:uuid/log', ({ headers }, response) => {
      since.push(headers['last-event-id'])
      const stream = new EventStream(response)
      switch (since.length) {
        case 1:
          stream.lines(line(1, 'one'), line(2, 'two')).cut()
          break
        case 2:
          // A stopping daemon ends the response without an event.
          response.end()
          break
        case 3:
          stream.lines(line(2, 'two'), line(3, 'three')).cut()
          break
        default:
          stream.lines(line(4, 'four')).end(ended('succeeded'))
      }
    })
    const { staging, texts, disconnects } = await follow()
    expect(texts).toEqual(['one', 'two', 'three', 'four'])
    expect(since).toEqual([undefined, '2', '2', '3'])
    expect(disconnects).toEqual([2, 3])
    expect(staging).toEqual(ended('succeeded'))
  })

  test('passes on lines with every character that some readers take for the end of a line', async () => {
    const { api } = harness()
    const texts = ['a\u2028b', 'a\u2029b', 'a\u0085b', 'a\rb', 'a\vb\fc']
    api.on('GET /v1/stagings/:uuid/log', (_request, response) => {
      new EventStream(response).lines(...texts.map((text, index) => line(index + 1, text))).end(ended('succeeded'))
    })
    expect((await follow()).texts).toEqual(texts)
  })

  test('continues after a restart during which the socket is missing', async () => {
    const { api } = harness()
    let calls = 0
    api.on('GET /v1/stagings/:uuid/log', (_request, response) => {
      calls += 1
      if (calls === 2) throw new FakeProblem(503, 'starting', 'Not yet: wait a moment.')
      const stream = new EventStream(response)
      if (calls === 1) stream.lines(line(1, 'one'))
      else stream.lines(line(2, 'two')).end(ended('succeeded'))
    })
    const texts: string[] = []
    await follow({
      retryDelay: 20,
      onLine: async ({ seq, text }) => {
        texts.push(text)
        if (seq !== 1) return
        await api.stop()
        setTimeout(() => void api.listen(), 50)
      },
    })
    expect(texts).toEqual(['one', 'two'])
    expect(calls).toBe(3)
  })

  test('does not retry an error response', async () => {
    const { api } = harness()
    api.on('GET /v1/stagings/:uuid/log', () => {
      throw new FakeProblem(404, 'staging-not-found', 'There is no such staging.')
    })
    await expect(follow()).rejects.toMatchObject({ status: 404 })
    expect(api.requests).toHaveLength(1)
  })

  test('fails at once when no daemon answers the first request', async () => {
    await harness().api.stop()
    await expect(follow()).rejects.toBeInstanceOf(DaemonUnreachable)
  })

  test('without `follow`, ends at the current end of the log', async () => {
    const { api } = harness()
    api.on('GET /v1/stagings/:uuid/log', (_request, response) => {
      new EventStream(response).lines(line(8, 'eight'))
      response.end()
    })
    const { staging, texts } = await follow({ follow: false, since: 7 })
    expect({ staging, texts }).toEqual({ staging: undefined, texts: ['eight'] })
    expect(api.requests.map(({ path, query }) => `${path}?${query.toString()}`)).toEqual([
      `${LOG}?since=7&follow=false`,
    ])
  })

  test('decodes multi-byte characters that are split across chunks', async () => {
    const { api } = harness()
    api.on('GET /v1/stagings/:uuid/log', async (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      const bytes = Buffer.from(`event: line\nid: 1\ndata: ${JSON.stringify(line(1, 'grüße ✓'))}\n\n`)
      for (const byte of bytes) {
        response.write(Buffer.from([byte]))
        await new Promise(setImmediate)
      }
      response.end(`event: end\ndata: ${JSON.stringify(ended('succeeded'))}\n\n`)
    })
    expect((await follow()).texts).toEqual(['grüße ✓'])
  })
})

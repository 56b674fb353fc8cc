import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import type { MadeWebhook, Webhook } from '../../daemon/documents/webhook.js'
import { useHarness } from './support/harness.js'

const harness = useHarness()

const ID = '0b7c1e8a-2f64-4f0e-9d57-3f1f1f0a7c11'
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'

function aWebhook(overrides: Partial<Webhook> = {}): Webhook {
  return {
    uuid: ID,
    namespace: '/acme',
    url: 'https://ci.example.org/staged',
    on: ['succeeded', 'failed', 'cancelled'],
    created_at: '2024-05-01T10:00:00.000Z',
    waiting: 0,
    ...overrides,
  }
}

describe('webhook', () => {
  test('add prints the secret, once, and nothing else to standard output', async () => {
    const { api, run } = harness()
    api.on('POST /v1/webhooks', (): MadeWebhook => ({ ...aWebhook(), secret: SECRET }))
    const { code, io } = await run('--namespace', '/acme', 'webhook', 'add', 'https://ci.example.org/staged')
    expect([code, io.out]).toEqual([0, `${SECRET}\n`])
    expect(io.err).toContain('Its secret is not shown again.')
    expect(api.sent('POST /v1/webhooks')).toEqual({ url: 'https://ci.example.org/staged', namespace: '/acme' })
  })

  test('add takes the secret from a file, and does not print it', async () => {
    const { api, run, root } = harness()
    const file = path.join(root, 'secret')
    await writeFile(file, `${SECRET}\n`)
    api.on('POST /v1/webhooks', (): MadeWebhook => ({ ...aWebhook({ on: ['failed'] }), secret: SECRET }))
    const url = 'https://ci.example.org/staged'
    const { code, io } = await run('webhook', 'add', url, '--on', 'failed,failed', '--secret-file', file)
    expect([code, io.out]).toEqual([0, ''])
    expect(io.err).not.toContain(SECRET)
    expect(api.sent('POST /v1/webhooks')).toEqual({ url, namespace: '/', on: ['failed'], secret: SECRET })
  })

  test('add refuses an end that does not exist', async () => {
    const { code, io } = await harness().run('webhook', 'add', 'https://ci.example.org/', '--on', 'done')
    expect([code, io.err]).toEqual([
      2,
      expect.stringContaining('"done" is not an end of a staging: write one of succeeded, failed, cancelled.'),
    ])
  })

  test('list shows what came of the last delivery', async () => {
    const { api, run } = harness()
    const last = {
      result: 'refused',
      staging: ID,
      at: '2024-05-01T10:00:00.000Z',
      attempts: 1,
      message: 'The receiver answered 404, so it does not want it.',
    } as const
    api.on('GET /v1/webhooks', () => [aWebhook({ waiting: 3, last })])
    expect((await run('webhook', 'list')).io.out).toMatch(/ all +3 .*refused\. The receiver answered 404/)
  })

  test('list --staging shows those of a call, and says so when there are none', async () => {
    const { api, run } = harness()
    const asked: (string | null)[] = []
    api.on('GET /v1/webhooks', ({ query }) => (asked.push(query.get('staging')), []))
    expect((await run('webhook', 'list', '--staging', ID)).io.out).toContain('None waits to be told of this staging')
    expect(asked).toEqual([ID])
  })

  test.each([
    [true, 0],
    [false, 4],
  ])('test says what came back; accepted: %s', async (delivered, exitCode) => {
    const { api, run } = harness()
    api
      .on('GET /v1/webhooks', () => [aWebhook()])
      .on('POST /v1/webhooks/:uuid/test', () => ({ delivered, message: 'The receiver answered 2.', milliseconds: 7 }))
    const { code, io } = await run('webhook', 'test', ID.slice(0, 8))
    expect([code, io.out]).toEqual([exitCode, 'The receiver answered 2. (7 ms)\n'])
    expect(api.requested.at(-1)).toBe(`POST /v1/webhooks/${ID}/test`)
  })

  test('remove takes the URL, and refuses one that is not there', async () => {
    const { api, run } = harness()
    api.on('GET /v1/webhooks', () => [aWebhook()]).on('DELETE /v1/webhooks/:uuid', () => aWebhook())
    expect((await run('webhook', 'remove', 'https://ci.example.org/staged')).io.out).toBe(
      `Removed the webhook ${ID}.\n`,
    )
    const { code, io } = await run('webhook', 'remove', 'https://other.example.org/')
    expect([code, io.err]).toEqual([
      4,
      'stagectl: No webhook has an ID that begins with "https://other.example.org/", or that URL: see `stagectl webhook list`.\n',
    ])
  })

  test('the ID is completed from the daemon', async () => {
    const { api, run } = harness()
    api.on('GET /v1/webhooks', () => [aWebhook()])
    expect((await run('__complete', '--', 'webhook', 'remove', '')).io.out).toBe(
      `${ID}\thttps://ci.example.org/staged\n`,
    )
  })
})

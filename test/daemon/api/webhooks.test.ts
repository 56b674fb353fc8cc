import { afterAll, beforeAll, expect, it } from 'vitest'
import { TokenCallers } from '../../../daemon/access/callers.js'
import type { MadeWebhook, Webhook } from '../../../daemon/documents/webhook.js'
import { AccessClient, makeToken } from './access-requests.js'
import { ApiUnderTest } from './api-under-test.js'

const RECEIVER = 'https://hooks.example.org/services/T0/sesame?key=sesame'
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'

let under: ApiUnderTest
let client: AccessClient
beforeAll(async () => {
  under = await ApiUnderTest.open({ callers: ({ tokens }) => new TokenCallers(tokens) })
  client = await AccessClient.open(under)
})
afterAll(() => under.close())

const add = async (draft: object, token = client.administrator) => {
  const { status, text } = await client.send('POST', '/v1/webhooks', token, draft)
  return { status, document: JSON.parse(text) as MadeWebhook & { code?: string } }
}

const listed = async (token: string) =>
  JSON.parse((await client.send('GET', '/v1/webhooks', token)).text) as readonly Webhook[]

it('a webhook shows its secret once, in no other answer and in no line of the log', async () => {
  const { status, document } = await add({ url: RECEIVER, namespace: '/acme', secret: SECRET })
  expect([status, document.secret, document.on]).toEqual([201, SECRET, ['succeeded', 'failed', 'cancelled']])
  const answers = [
    await client.send('GET', '/v1/webhooks', client.administrator),
    await client.send('POST', `/v1/webhooks/${document.uuid}/test`, client.administrator),
    await client.send('DELETE', `/v1/webhooks/${document.uuid}`, client.administrator),
  ]
  expect(answers.map((answer) => answer.status)).toEqual([200, 200, 200])
  expect(answers.map(({ text }) => text).join('')).not.toContain(SECRET)
  const logged = under.logged.join('')
  expect(logged).toContain(`webhook ${document.uuid}`)
  expect(logged).not.toContain(SECRET)
  expect(logged).not.toContain('sesame')
})

it('a webhook without a secret gets a new one', async () => {
  const [one, other] = [
    await add({ url: RECEIVER, namespace: '/fresh' }),
    await add({ url: RECEIVER, namespace: '/fresh' }),
  ]
  expect(one.document.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
  expect(other.document.secret).not.toBe(one.document.secret)
})

it('a list shows those of the namespaces of a token, and whole URLs to those who may change them', async () => {
  await add({ url: RECEIVER, namespace: '/seen' })
  await add({ url: RECEIVER, namespace: '/unseen' })
  await add({ url: RECEIVER, namespace: '/' })
  const [reader, writer] = [
    await makeToken(under, { access: 'read', namespaces: ['/seen'] }),
    await makeToken(under, { access: 'write', namespaces: ['/seen'] }),
  ]
  expect((await listed(reader)).map(({ namespace, url }) => [namespace, url])).toEqual([
    ['/seen', 'https://hooks.example.org'],
  ])
  expect((await listed(writer)).map(({ namespace, url }) => [namespace, url])).toEqual([['/seen', RECEIVER]])
  expect(await add({ url: RECEIVER, namespace: '/' }, writer)).toMatchObject({
    status: 403,
    document: { code: 'namespace-forbidden' },
  })
})

it.each([
  [{ url: 'ftp://example.org/' }, 'bad-url'],
  [{ url: 'https://user:password@example.org/' }, 'bad-url'],
  [{ url: 'http://127.0.0.1/' }, 'address-not-listed'],
  [{ url: 'http://[::ffff:10.0.0.1]/' }, 'address-not-listed'],
  [{ url: 'http://169.254.169.254/latest/' }, 'address-forbidden'],
  [{ url: RECEIVER, secret: 'short' }, 'bad-webhook-secret'],
  [{ url: RECEIVER, namespace: 'acme' }, 'bad-namespace'],
  [{ url: RECEIVER, on: ['running'] }, 'bad-document'],
  [{ url: RECEIVER, on: [] }, 'bad-document'],
])('%j is refused with %s', async (draft, code) => {
  expect((await add({ namespace: '/acme', ...draft })).document.code).toBe(code)
})

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TokenCallers } from '../../../daemon/access/callers.js'
import type { Staging } from '../../../daemon/documents/staging.js'
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

describe('webhooks of a call', () => {
  const NOTIFY = [{ url: RECEIVER, secret: SECRET }]
  const stage = async (more: object, token = client.administrator) => {
    const body = { package: await client.package(), pipeline: await client.pipeline(), ...more }
    const { status, text } = await client.send('POST', '/v1/stagings', token, body)
    return { status, text, document: JSON.parse(text) as Staging & { code?: string } }
  }
  const ofCall = async (uuid: string, token = client.administrator) => {
    const { status, text } = await client.send('GET', `/v1/webhooks?staging=${uuid}`, token)
    return { status, document: JSON.parse(text) as readonly Webhook[] & { code?: string } }
  }

  it('are shown with their staging, not among those of namespaces, and can be removed', async () => {
    const { status, text, document } = await stage({ notify: NOTIFY })
    const { uuid } = document
    const [found] = (await ofCall(uuid)).document
    expect(found).toMatchObject({ namespace: '/acme', staging: uuid, url: RECEIVER, waiting: 0 })
    expect((await listed(client.administrator)).map((one) => one.uuid)).not.toContain(found!.uuid)
    await client.send('DELETE', `/v1/webhooks/${found!.uuid}`, client.administrator)
    expect((await ofCall(uuid)).document).toEqual([])
    expect(status).toBe(201)
    const audits = under.logged.filter((line) => line.includes('createStaging')).join('')
    expect(audits).toContain(`"receivers":["${new URL(RECEIVER).origin}"]`)
    for (const shown of [text, under.logged.join('')]) expect(shown).not.toMatch(/sesame|whsec_/)
  })

  it('are named by tokens that may stage the package, and seen by those that may see the staging', async () => {
    const [reader, writer, foreign] = [
      await makeToken(under, { access: 'read', namespaces: ['/acme'] }),
      await makeToken(under, { access: 'write', namespaces: ['/acme'] }),
      await makeToken(under, { access: 'write', namespaces: ['/other'] }),
    ]
    const codeOf = async (token: string) => (await stage({ notify: NOTIFY }, token)).document.code
    expect([await codeOf(reader), await codeOf(foreign)]).toEqual(['token-read-only', 'package-not-found'])
    const { uuid } = (await stage({ notify: NOTIFY }, writer)).document
    const urlsOf = async (token: string) => (await ofCall(uuid, token)).document.map(({ url }) => url)
    expect([await urlsOf(writer), await urlsOf(reader)]).toEqual([[RECEIVER], ['https://hooks.example.org']])
    expect(await ofCall(uuid, foreign)).toMatchObject({ status: 404, document: { code: 'staging-not-found' } })
    const none = '00000000-0000-4000-8000-000000000000'
    expect((await ofCall(none)).document.code).toBe('staging-not-found')
  })

  it('are not those of a retry', async () => {
    const { uuid } = (await stage({ notify: NOTIFY })).document
    await client.send('POST', `/v1/stagings/${uuid}/cancel`, client.administrator)
    const { text } = await client.send('POST', `/v1/stagings/${uuid}/retry`, client.administrator)
    expect((await ofCall((JSON.parse(text) as Staging).uuid)).document).toEqual([])
    expect((await ofCall(uuid)).document).toMatchObject([{ waiting: 1 }])
  })

  it.each([
    [[{ url: 'http://127.0.0.1/', secret: SECRET }], 'address-not-listed'],
    [[...NOTIFY, { url: 'http://169.254.169.254/latest/', secret: SECRET }], 'address-forbidden'],
    [[{ url: 'ci.example.org', secret: SECRET }], 'bad-url'],
    [[{ url: RECEIVER, secret: 'short' }], 'bad-webhook-secret'],
    [[{ url: RECEIVER }], 'bad-document'],
    [Array.from({ length: 5 }, () => NOTIFY[0]), 'bad-document'],
  ])('%j is refused with %s, by the check and by the call, which makes nothing', async (notify, code) => {
    const check = await client.send('POST', '/v1/webhooks/check', client.administrator, { notify })
    expect(check.code).toBe(code)
    expect(check.text).not.toContain('sesame')
    const before = (await under.store.ledger.list({})).length
    expect((await stage({ notify })).document.code).toBe(code)
    expect(await under.store.ledger.list({})).toHaveLength(before)
  })

  it('can be checked before, without a request to them', async () => {
    expect((await client.send('POST', '/v1/webhooks/check', client.administrator, { notify: NOTIFY })).status).toBe(204)
  })
})

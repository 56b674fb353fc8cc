import type { ServerResponse } from 'node:http'
import { describe, expect, it } from 'vitest'
import { makeWebhookSecret } from '../../../daemon/webhooks/signature.js'
import { answering, isSignedWith, WebhookReceiver } from '../../support/webhook-receiver.js'
import { ledgerSamples } from '../metrics/ledger-samples.js'
import { Node, PIPELINE, QUICK, SLOW } from './node.js'

describe('a webhook', () => {
  it('is told of the end of a staging, signed', async () => {
    const node = await Node.open()
    const receiver = await WebhookReceiver.open()
    const { secret, last } = await node.add(receiver.url)
    await node.samples.succeed(PIPELINE)
    await expect.poll(last).toMatchObject({ result: 'delivered', attempts: 1, message: 'The receiver answered 204.' })
    const [message] = receiver.received
    expect(isSignedWith(secret, message!)).toBe(true)
    expect(isSignedWith(makeWebhookSecret(), message!)).toBe(false)
    expect(message!.headers).toMatchObject({ 'content-type': 'application/json', 'user-agent': 'stagerd/1.2.3' })
    const [staging] = await node.store.ledger.list({})
    expect(JSON.parse(message!.body)).toEqual({
      type: 'staging.ended',
      timestamp: staging!.endedAt,
      data: { uuid: staging!.uuid, state: 'succeeded', package: staging!.packageFqn },
    })
    expect(node.ended).toEqual(['delivered'])
    expect(await node.store.webhooks.waiting()).toBe(0)
  })

  it('is told of every way to end, or of those that it asks for', async () => {
    const node = await Node.open()
    const [all, failures] = [await WebhookReceiver.open(), await WebhookReceiver.open()]
    await node.add(all.url)
    await node.add(failures.url, '/', ['failed'])
    await node.samples.succeed(PIPELINE)
    await node.samples.fail(PIPELINE, 'timeout')
    await node.samples.cancelQueued(PIPELINE)
    await node.samples.cancelRunning(PIPELINE)
    const statesOf = ({ received }: WebhookReceiver) =>
      received.map(({ body }) => (JSON.parse(body) as { data: { state: string } }).data.state).sort()
    await expect.poll(() => statesOf(all)).toEqual(['cancelled', 'cancelled', 'failed', 'succeeded'])
    await expect.poll(() => node.store.webhooks.waiting()).toBe(0)
    expect(statesOf(failures)).toEqual(['failed'])
  })

  it('of a namespace is told of packages in it and below it', async () => {
    const node = await Node.open()
    const receiver = await WebhookReceiver.open()
    // The packages of the samples are in /acme.
    const told = await Promise.all(
      ['/', '/acme'].map((namespace) => node.add(`${receiver.url}${namespace}`, namespace)),
    )
    for (const namespace of ['/acm', '/acme-2', '/acme/below', '/other', '/acme/p'])
      await node.add(`${receiver.url}${namespace}`, namespace)
    await node.samples.succeed(PIPELINE)
    for (const { last } of told) await expect.poll(last).toMatchObject({ result: 'delivered' })
    await expect.poll(() => node.store.webhooks.waiting()).toBe(0)
    expect(receiver.received.map(({ path }) => path).sort()).toEqual(['/told/', '/told/acme'])
  })

  it.each([
    ['500', answering(500)],
    ['429', answering(429)],
    ['408', answering(408)],
    ['a lost connection', (response: ServerResponse): void => void response.socket?.destroy()],
  ] as const)('is told again after %s, with the same ID', async (_, answer) => {
    const node = await Node.open()
    const receiver = await WebhookReceiver.open(answer, answer)
    const { last, secret } = await node.add(receiver.url)
    await node.samples.succeed(PIPELINE)
    await expect.poll(last).toMatchObject({ result: 'delivered', attempts: 3 })
    expect(receiver.ids).toHaveLength(3)
    expect(new Set(receiver.ids).size).toBe(1)
    expect(receiver.received.every((message) => isSignedWith(secret, message))).toBe(true)
  })

  it.each([
    [301, 'The receiver answered 301, and redirects are not followed: use the URL that it names.'],
    [404, 'The receiver answered 404, so it does not want it.'],
    [410, 'The receiver answered 410, so nobody is there any more: remove the webhook.'],
  ])('is not told again after %i', async (status, message) => {
    const node = await Node.open()
    const receiver = await WebhookReceiver.open(answering(status, { location: '/elsewhere' }))
    const { last } = await node.add(receiver.url)
    await node.samples.succeed(PIPELINE)
    await expect.poll(last).toMatchObject({ result: 'refused', attempts: 1, message })
    expect(await node.store.webhooks.waiting()).toBe(0)
    expect(receiver.received).toHaveLength(1)
  })

  it('at an address that is not allowed gets nothing, and the reason is kept', async () => {
    const node = await Node.open(QUICK, '')
    const receiver = await WebhookReceiver.open()
    const { last } = await node.add(receiver.url)
    await node.samples.succeed(PIPELINE)
    await expect.poll(last).toMatchObject({
      result: 'refused',
      message:
        'The address of "127.0.0.1" is loopback: use a public one, or have its network listed in the setting webhook-networks of stagerd.',
    })
    expect(receiver.received).toEqual([])
  })

  it('is given up when the attempts are used up, which is logged without its secret and URL', async () => {
    const node = await Node.open()
    const receiver = await WebhookReceiver.open(...Array.from({ length: 4 }, () => answering(503)))
    const { last, secret } = await node.add(`${receiver.url}?key=sesame`)
    await node.samples.succeed(PIPELINE)
    await expect.poll(last).toMatchObject({ result: 'given-up', attempts: 4 })
    await expect.poll(() => node.ended).toEqual(['given-up'])
    const logged = node.logged.join('')
    expect(logged).toContain('a webhook was not told of the end of a staging')
    expect(logged).not.toContain('sesame')
    expect(logged).not.toContain(secret)
  })
})

describe('deliveries', () => {
  it('survive a daemon that dies before the first attempt', async () => {
    const node = await Node.open()
    const receiver = await WebhookReceiver.open()
    const { uuid } = await node.add(receiver.url)
    const samples = ledgerSamples(node.store, () => undefined)
    // Nobody wakes the deliveries, as if the daemon had died right after the transaction.
    await samples.succeed(PIPELINE)
    await node.die()
    expect(receiver.received).toEqual([])
    node.start()
    await expect.poll(async () => (await node.store.webhooks.get(uuid)).last?.result).toBe('delivered')
    expect(receiver.received).toHaveLength(1)
  })

  it('are made again with the same ID when the daemon dies during an attempt', async () => {
    // The receiver has taken the first one, and the daemon does not hear of it.
    const node = await Node.open({ ...SLOW, attemptMs: 15_000, delaysMs: [1] })
    const receiver = await WebhookReceiver.open(() => undefined)
    const { uuid } = await node.add(receiver.url)
    await node.samples.succeed(PIPELINE)
    await expect.poll(() => receiver.received.length).toBe(1)
    await node.die()
    // Its clock is past the time that was recorded before the attempt.
    node.start({ ...QUICK, settleMs: -120_000 })
    await expect.poll(async () => (await node.store.webhooks.get(uuid)).last?.result).toBe('delivered')
    expect(receiver.ids).toHaveLength(2)
    expect(new Set(receiver.ids).size).toBe(1)
  })

  it('do not hold up a stop, whatever the receiver does', async () => {
    const node = await Node.open()
    const receiver = await WebhookReceiver.open(() => undefined)
    await node.add(receiver.url)
    await node.samples.succeed(PIPELINE)
    await expect.poll(() => receiver.received.length).toBe(1)
    const began = performance.now()
    await node.stop()
    expect(performance.now() - began).toBeLessThan(QUICK.attemptMs / 2)
    node.start()
    expect(await node.store.webhooks.waiting()).toBe(1)
  })

  it('to one receiver do not wait for another that does not answer', async () => {
    const node = await Node.open()
    const silent = await WebhookReceiver.open(...Array.from({ length: 9 }, () => () => undefined))
    const receiver = await WebhookReceiver.open()
    await node.add(silent.url)
    await node.add(receiver.url)
    for (let n = 0; n < 5; n++) await node.samples.succeed(PIPELINE)
    await expect.poll(() => receiver.received.length).toBe(5)
    expect(silent.received.length).toBeLessThanOrEqual(QUICK.atOnce)
  })

  it('read little of an answer, and do not wait for its end', async () => {
    const node = await Node.open()
    const receiver = await WebhookReceiver.open((response) => {
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(1024)));
      }
      response.on('drain', more).writeHead(200)
      more()
    })
    const { last } = await node.add(receiver.url)
    await node.samples.succeed(PIPELINE)
    await expect.poll(last).toMatchObject({ result: 'delivered' })
  })

  it('that are too many are dropped, the oldest first, which is logged and counted', async () => {
    const node = await Node.open({ ...SLOW, waiting: 2 })
    const receiver = await WebhookReceiver.open(...Array.from({ length: 9 }, () => answering(503)))
    const { uuid } = await node.add(receiver.url)
    for (let n = 0; n < 5; n++) await node.samples.succeed(PIPELINE)
    await expect.poll(() => node.ended).toEqual(['dropped', 'dropped', 'dropped'])
    expect((await node.store.webhooks.get(uuid)).waiting).toBe(2)
    expect(node.logged.filter((line) => line.includes('was dropped'))).toHaveLength(3)
  })

  it('that are too old are dropped', async () => {
    const node = await Node.open(SLOW)
    const receiver = await WebhookReceiver.open(answering(503))
    const { uuid } = await node.add(receiver.url)
    await node.samples.succeed(PIPELINE)
    await expect.poll(async () => (await node.store.webhooks.get(uuid)).last?.result).toBe('waiting')
    await node.stop()
    node.start({ ...SLOW, ageMs: -1 })
    await expect.poll(async () => (await node.store.webhooks.get(uuid)).last?.result).toBe('dropped')
  })

  it('go with their webhook', async () => {
    const node = await Node.open(SLOW)
    const receiver = await WebhookReceiver.open(answering(503))
    const { uuid, last } = await node.add(receiver.url)
    await node.samples.succeed(PIPELINE)
    await expect.poll(last).toMatchObject({ result: 'waiting' })
    await node.store.webhooks.delete(uuid)
    expect(await node.store.webhooks.waiting()).toBe(0)
  })

  it('hold the record of their staging', async () => {
    const node = await Node.open(SLOW)
    const receiver = await WebhookReceiver.open(answering(503))
    const { uuid, last } = await node.add(receiver.url)
    await node.samples.succeed(PIPELINE)
    await expect.poll(last).toMatchObject({ result: 'waiting' })
    const [staging] = await node.store.ledger.list({})
    expect(await node.store.references.forgetStagings([staging!.uuid])).toEqual([])
    await node.store.webhooks.delete(uuid)
    expect(await node.store.references.forgetStagings([staging!.uuid])).toEqual([staging!.uuid])
  })

  it('can be tried with a ping, which is signed, and sent once', async () => {
    const node = await Node.open()
    const receiver = await WebhookReceiver.open(answering(500))
    const { uuid, secret } = await node.add(receiver.url)
    expect(await node.deliveries.ping(uuid)).toMatchObject({ kind: 'failed', status: 500 })
    const [message] = receiver.received
    expect(isSignedWith(secret, message!)).toBe(true)
    expect(JSON.parse(message!.body)).toMatchObject({ type: 'ping', data: { webhook: uuid } })
    expect(receiver.received).toHaveLength(1)
  })
})

describe('the number of webhooks', () => {
  it('is limited in a namespace', async () => {
    const node = await Node.open()
    for (let n = 0; n < 20; n++) await node.add('https://example.org', '/acme')
    await expect(node.add('https://example.org', '/acme')).rejects.toMatchObject({ code: 'too-many-webhooks' })
  })
})

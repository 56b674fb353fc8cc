import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { makeWebhookSecret } from '../../../daemon/webhooks/signature.js'
import { answering, isSignedWith, WebhookReceiver } from '../../support/webhook-receiver.js'
import { Node, PIPELINE, QUICK, SLOW } from './node.js'

const silent = (times: number) => Array.from({ length: times }, () => () => undefined)
const statesOf = ({ received }: WebhookReceiver) =>
  received.map(({ body }) => (JSON.parse(body) as { data: { state: string } }).data.state).sort()
const idle = (node: Node) => expect.poll(() => node.store.webhooks.waiting()).toBe(0)

describe('a webhook of a call', () => {
  it('is told of its own staging alone, signed, and is deleted then', async () => {
    const node = await Node.open()
    const receiver = await WebhookReceiver.open()
    const secret = makeWebhookSecret()
    await node.samples.succeed(PIPELINE)
    const staging = await node.samplesOf([node.receiver(receiver.url, secret)]).submit(PIPELINE)
    const { webhooks, ledger } = node.store
    expect(await webhooks.list(staging.uuid)).toMatchObject([{ staging: staging.uuid, namespace: '/acme' }])
    expect(await webhooks.list()).toEqual([])
    await node.samples.cancelQueued(PIPELINE)
    await ledger.requestCancel(staging.uuid)
    node.deliveries.wake()
    await expect.poll(() => webhooks.list(staging.uuid)).toEqual([])
    expect(statesOf(receiver)).toEqual(['cancelled'])
    expect(isSignedWith(secret, receiver.received[0]!)).toBe(true)
    expect(await webhooks.waiting()).toBe(0)
  })

  it('is told of every way to end, an answer from an earlier result included', async () => {
    const node = await Node.open()
    const receiver = await WebhookReceiver.open()
    const samples = () => node.samplesOf([node.receiver(receiver.url)])
    const { packageUuid } = await samples().succeed(PIPELINE)
    await samples().answer(packageUuid, PIPELINE)
    await samples().answerAtOnce(packageUuid, PIPELINE)
    await samples().fail(PIPELINE, 'timeout')
    await samples().cancelQueued(PIPELINE)
    await samples().cancelRunning(PIPELINE)
    await expect
      .poll(() => statesOf(receiver))
      .toEqual(['cancelled', 'cancelled', 'failed', 'succeeded', 'succeeded', 'succeeded'])
  })

  it('is told besides those of the namespace, and several are each told', async () => {
    const node = await Node.open()
    const standing = await WebhookReceiver.open()
    const named = [await WebhookReceiver.open(), await WebhookReceiver.open()]
    await node.add(standing.url, '/acme')
    await node.samplesOf(named.map(({ url }) => node.receiver(url))).succeed(PIPELINE)
    for (const { received } of [standing, ...named]) await expect.poll(() => received.length).toBe(1)
    await idle(node)
  })

  it('does not come to be with a staging that is refused', async () => {
    const node = await Node.open()
    const { packageUuid } = await node.samples.submit(PIPELINE)
    const samples = node.samplesOf([node.receiver('https://example.org/')])
    await expect(samples.submitAgain(packageUuid, PIPELINE)).rejects.toMatchObject({ code: 'package-busy' })
    const [other] = await node.store.ledger.list({})
    expect(await node.store.webhooks.list(other!.uuid)).toEqual([])
  })

  it('that does not want it says so, until the record of the staging goes', async () => {
    const node = await Node.open()
    const receiver = await WebhookReceiver.open(answering(404))
    const { uuid } = await node.samplesOf([node.receiver(receiver.url)]).succeed(PIPELINE)
    const { webhooks, references } = node.store
    await expect
      .poll(() => webhooks.list(uuid))
      .toMatchObject([{ waiting: 0, last: { result: 'refused', message: expect.stringContaining('404') as string } }])
    expect(await references.forgetStagings([uuid])).toEqual([uuid])
    expect(await webhooks.list(uuid)).toEqual([])
  })

  it('is told although the daemon dies between the end and the first attempt', async () => {
    const node = await Node.open({ ...QUICK, settleMs: 60_000 })
    const receiver = await WebhookReceiver.open()
    await node.samplesOf([node.receiver(receiver.url)]).succeed(PIPELINE)
    await node.die()
    expect(receiver.received).toEqual([])
    node.start()
    await idle(node)
    expect(statesOf(receiver)).toEqual(['succeeded'])
  })

  it('does not count among those of its namespace', async () => {
    const node = await Node.open()
    for (let n = 0; n < 7; n++)
      await node.samplesOf([1, 2, 3].map(() => node.receiver('https://example.org/'))).submit(PIPELINE)
    await node.add('https://example.org', '/acme')
  })
})

describe('receivers of calls that do not answer', () => {
  it('have the connections of one webhook, and hold up neither one nor calls elsewhere', async () => {
    const node = await Node.open()
    const hanging = await WebhookReceiver.open(...silent(9))
    const receiver = await WebhookReceiver.open()
    for (let n = 0; n < 4; n++) await node.samplesOf([node.receiver(hanging.url)]).succeed(PIPELINE)
    await expect.poll(() => hanging.received.length).toBe(QUICK.atOnce)
    await node.samplesOf([node.receiver(receiver.url)], '/other').succeed(PIPELINE)
    await node.add(receiver.url, '/acme')
    await node.samples.succeed(PIPELINE)
    await expect.poll(() => receiver.received.length).toBe(2)
    expect(hanging.received).toHaveLength(QUICK.atOnce)
  })

  it('have a limit of connections in all namespaces together', async () => {
    const node = await Node.open({ ...QUICK, callsAtOnce: 3 })
    const hanging = await WebhookReceiver.open(...silent(9))
    const receiver = await WebhookReceiver.open()
    await node.add(receiver.url, '/')
    for (const namespace of ['/a', '/b', '/c', '/d', '/e'])
      await node.samplesOf([node.receiver(hanging.url)], namespace).succeed(PIPELINE)
    await expect.poll(() => receiver.received.length).toBe(5)
    expect(hanging.received).toHaveLength(3)
  })

  it('have a limit of deliveries that wait, above which the oldest are dropped', async () => {
    const node = await Node.open({ ...SLOW, waiting: 2 })
    const receiver = await WebhookReceiver.open(...Array.from({ length: 9 }, () => answering(503)))
    for (let n = 0; n < 4; n++) await node.samplesOf([node.receiver(receiver.url)]).succeed(PIPELINE)
    await expect.poll(() => node.ended).toEqual(['dropped', 'dropped'])
    expect(await node.store.webhooks.waiting()).toBe(2)
  })
})

describe('the secrets of webhooks', () => {
  it('are sealed in the database, and one that an older stagerd has stored is sealed at the start', async () => {
    const node = await Node.open()
    const receiver = await WebhookReceiver.open()
    const { uuid, secret } = await node.add(receiver.url)
    const ofCall = makeWebhookSecret()
    await node.samplesOf([node.receiver(receiver.url, ofCall)]).submit(PIPELINE)
    const old = { ...node.receiver(`${receiver.url}/old`), sealed: makeWebhookSecret() }
    await node.store.webhooks.create({ ...old, namespace: '/', on: ['failed'], createdAt: '2026-01-01T00:00:00Z' })
    const { webhooks } = node.store
    // What is stored as it is works, too.
    expect(await node.deliveries.ping(old.uuid)).toMatchObject({ kind: 'delivered' })
    await webhooks.sealAll((...webhook) => node.secrets.close(...webhook))
    for (const sealed of [uuid, old.uuid]) await node.deliveries.ping(sealed)
    const [, one, other] = receiver.received
    expect(isSignedWith(secret, one!) && isSignedWith(old.sealed, other!)).toBe(true)
    await node.stop()
    const database = await readFile(join(node.directory, 'stagerd.db'), 'latin1')
    expect(database).toContain(receiver.url)
    for (const text of [secret, ofCall, old.sealed]) expect(database.includes(text)).toBe(false)
  })

  it('that were sealed with another key are not used, which the webhook tells', async () => {
    const node = await Node.open(SLOW)
    const receiver = await WebhookReceiver.open()
    const { last } = await node.add(receiver.url)
    const { key } = node
    await node.stop()
    node.key = Buffer.alloc(32)
    node.start(SLOW)
    await node.samples.succeed(PIPELINE)
    await expect.poll(last).toMatchObject({
      result: 'waiting',
      message:
        'The secret was sealed with another key, as after a restore to another node: remove the webhook, and add it again.',
    })
    expect(receiver.received).toEqual([])
    // With the key, it goes on.
    await node.stop()
    node.key = key
    node.start({ ...QUICK, settleMs: -200_000 })
    await expect.poll(last).toMatchObject({ result: 'delivered' })
  })

  it('are in a backup as they are in the database', async () => {
    const node = await Node.open()
    const { secret, uuid } = await node.add('https://example.org/')
    const file = join(node.directory, 'backup.db')
    await node.store.backups.copyTo(file)
    expect((await readFile(file, 'latin1')).includes(secret)).toBe(false)
    await node.store.backups.replaceBy(file, true)
    const { sealed } = await node.store.webhooks.target(uuid)
    expect(node.secrets.open(uuid, sealed)).toBe(secret)
  })
})

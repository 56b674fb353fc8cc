import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Staging, StagingDraft } from '../../../daemon/documents/staging.js'
import type { MadeWebhook, Webhook } from '../../../daemon/documents/webhook.js'
import { makeWebhookSecret } from '../../../daemon/webhooks/signature.js'
import { isSignedWith, WebhookReceiver } from '../../support/webhook-receiver.js'
import { PrivateDaemon } from '../support/private-daemon.js'
import { tarballOf } from '../support/tarballs.js'

let daemon: PrivateDaemon

beforeAll(async () => {
  daemon = await PrivateDaemon.start(['--webhook-networks', '127.0.0.0/8'])
  const site = await tarballOf(path.join(daemon.directory, 'site.tar.gz'), { 'index.html': 'hello' })
  await daemon.addPackage(site, 'program')
  await daemon.addPackage(site, 'site', { state: 'uploaded' })
  await daemon.addStager({ name: 'never', package: 'package::/::program', start_command: './never' })
})

afterAll(() => daemon.close())

/** It ends without a container, because it is not admitted before it is cancelled. */
async function endStaging(more: Partial<StagingDraft> = {}): Promise<Staging> {
  await daemon.ask('POST', '/v1/node/drain')
  const { uuid } = await daemon.submit('site', 'never', more)
  return await daemon.ask<Staging>('POST', `/v1/stagings/${uuid}/cancel`)
}

const lastOf = async (uuid: string) =>
  (await daemon.ask<Webhook[]>('GET', '/v1/webhooks')).find((one) => one.uuid === uuid)?.last

it('the end of a staging is told once, although stagerd is killed between the two', async () => {
  const receiver = await WebhookReceiver.open()
  // One that the call names is told, too, with a secret of its own.
  const named = await WebhookReceiver.open()
  const ofCall = makeWebhookSecret()
  const { uuid, secret } = await daemon.ask<MadeWebhook>('POST', '/v1/webhooks', {
    ...{ url: receiver.url, namespace: '/', on: ['cancelled'] },
  })
  const staging = await endStaging({ notify: [{ url: named.url, secret: ofCall }] })
  await daemon.kill()
  expect([receiver.received, named.received]).toEqual([[], []])

  await daemon.restart()
  await expect.poll(() => lastOf(uuid)).toMatchObject({ result: 'delivered', staging: staging.uuid })
  expect(receiver.received.map(({ body }) => JSON.parse(body) as unknown)).toEqual([
    { type: 'staging.ended', timestamp: staging.ended_at, data: staging },
  ])
  expect(receiver.received.every((message) => isSignedWith(secret, message))).toBe(true)
  await expect.poll(() => daemon.ask<Webhook[]>('GET', `/v1/webhooks?staging=${staging.uuid}`)).toEqual([])
  expect(named.received.map((message) => isSignedWith(ofCall, message))).toEqual([true])
  const kept = `${await daemon.log()}${await readFile(path.join(daemon.stateDirectory, 'stagerd.db'), 'latin1')}`
  for (const text of [secret, ofCall]) expect(kept.includes(text)).toBe(false)
  await daemon.ask('DELETE', `/v1/webhooks/${uuid}`)
})

it('a delivery during which stagerd is killed is made again, with the same ID', async () => {
  // It takes the first one, and stagerd does not hear of that.
  const receiver = await WebhookReceiver.open(() => undefined)
  const { uuid } = await daemon.ask<MadeWebhook>('POST', '/v1/webhooks', { url: receiver.url, namespace: '/' })
  await endStaging()
  await expect.poll(() => receiver.received.length).toBe(1)
  await daemon.kill()

  await daemon.restart()
  await expect.poll(() => lastOf(uuid), { timeout: 60_000 }).toMatchObject({ result: 'delivered', attempts: 2 })
  expect(receiver.ids).toHaveLength(2)
  expect(new Set(receiver.ids).size).toBe(1)
})

import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import pino from 'pino'
import { describe, expect, it } from 'vitest'
import { NatsBus } from '../../../daemon/cloud-foundry/nats-bus.js'
import { messageBusContract } from '../../contract/message-bus.js'
import { FakeBus, FakeServer } from '../../support/fake-bus.js'
import { freePort } from '../../support/free-port.js'
import { NatsServer } from '../../support/nats-server.js'
import { until } from '../../support/until.js'
import { temporaryDirectory } from '../store/temporary-directory.js'

const logger = pino({ level: 'silent' })

const PROBE = 'probe'

/** All clients are one user, who may do everything but this. */
function configOf(denied: string | undefined): string {
  const those = `{ deny: ["${denied}", "${PROBE}"] }`
  const permissions = denied === undefined ? '' : `, permissions: { publish: ${those}, subscribe: ${those} }`
  return `no_auth_user: all\nauthorization { users: [{ user: all, password: x${permissions} }] }\n`
}

/** Whether something is denied, so that a server is known to have read its configuration again. */
async function denies(port: number): Promise<boolean> {
  const bus = await openBus(port)
  return await bus
    .publish(PROBE, Buffer.from(''))
    .then(
      () => false,
      () => true,
    )
    .finally(() => bus.close())
}

const openBus = (port: number) =>
  NatsBus.open({ servers: [`127.0.0.1:${port}`], name: 'test', logger, timeoutMs: 500, reconnectMs: 20 })

messageBusContract('the fake', () => {
  const server = new FakeServer()
  return Promise.resolve({
    open: () => Promise.resolve(new FakeBus(server)),
    stop: () => {
      server.stop()
      return Promise.resolve()
    },
    start: () => {
      server.start()
      return Promise.resolve()
    },
    deny: (subject) => {
      server.denied.clear()
      if (subject !== undefined) server.denied.add(subject)
      return Promise.resolve()
    },
    close: () => Promise.resolve(),
  })
})

describe('with nats-server', () => {
  messageBusContract('NATS', async () => {
    const directory = await temporaryDirectory()
    const config = path.join(directory.path, 'nats.conf')
    const allow = (subject: string | undefined) => writeFile(config, configOf(subject))
    await allow(undefined)
    const server = await NatsServer.open('--config', config)
    return {
      open: () => openBus(server.port),
      stop: () => server.stop(),
      start: () => server.start(),
      deny: async (subject) => {
        await allow(subject)
        server.reload()
        await until('it is in force', async () => (await denies(server.port)) === (subject !== undefined))
      },
      close: async () => {
        await server.stop()
        await directory.remove()
      },
    }
  })
})

it('nobody who listens is an error in words', async () => {
  await expect(openBus(await freePort())).rejects.toThrow(/^NATS cannot be reached: .+\.$/)
})

import pino from 'pino'
import { describe, expect, it } from 'vitest'
import { NatsBus } from '../../../daemon/cloud-foundry/nats-bus.js'
import { messageBusContract } from '../../contract/message-bus.js'
import { FakeBus, FakeServer } from '../../support/fake-bus.js'
import { freePort } from '../../support/free-port.js'
import { NatsServer } from '../../support/nats-server.js'

const logger = pino({ level: 'silent' })

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
    close: () => Promise.resolve(),
  })
})

describe('with nats-server', () => {
  messageBusContract('NATS', async () => {
    const server = await NatsServer.open()
    return {
      open: () => openBus(server.port),
      stop: () => server.stop(),
      start: () => server.start(),
      close: () => server.stop(),
    }
  })
})

it('nobody who listens is an error in words', async () => {
  await expect(openBus(await freePort())).rejects.toThrow(/^NATS cannot be reached: .+\.$/)
})

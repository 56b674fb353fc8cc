import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { BusMessage, MessageBus } from '../../daemon/cloud-foundry/message-bus.js'
import { until } from '../support/until.js'

export interface BusUnderTest {
  /** Another client of the same server. Closed by the suite. */
  readonly open: () => Promise<MessageBus>
  /** The server goes, and loses what it has; and comes back. */
  readonly stop: () => Promise<void>
  readonly start: () => Promise<void>
  /** Nobody may subscribe or publish to this subject from now on; undefined: everybody to all. */
  readonly deny: (subject: string | undefined) => Promise<void>
  readonly close: () => Promise<void>
}

const text = ({ data }: BusMessage) => Buffer.from(data).toString()
const bytes = (message: string) => Buffer.from(message)

/** The contract of `MessageBus`. */
export function messageBusContract(name: string, make: () => Promise<BusUnderTest>): void {
  describe(`${name} is a message bus`, () => {
    let server: BusUnderTest
    let clients: MessageBus[] = []

    beforeEach(async () => {
      server = await make()
    })
    afterEach(async () => {
      await Promise.all(clients.map((client) => client.close()))
      clients = []
      await server.close()
    })

    async function open(): Promise<MessageBus> {
      const client = await server.open()
      clients.push(client)
      return client
    }

    /** A client that keeps what it receives. */
    async function member(group = 'staging', ...subjects: readonly string[]) {
      const client = await open()
      const received: BusMessage[] = []
      for (const subject of subjects.length > 0 ? subjects : ['staging'])
        client.subscribe(subject, group, (message) => received.push(message))
      await client.ready()
      return { client, received, texts: () => received.map(text) }
    }

    it('hands a message over as it was sent, with where the sender waits for an answer', async () => {
      const { received } = await member()
      const sender = await open()
      const answers: BusMessage[] = []
      sender.subscribe('answers.1', 'x', (message) => answers.push(message))
      await sender.ready()
      const data = Buffer.from([0, 1, 255, 10, 13])
      await sender.publish('staging', data)
      await until('it arrives', () => received.length === 1)
      expect([Buffer.from(received[0]!.data), received[0]!.subject, received[0]!.reply]).toEqual([
        data,
        'staging',
        undefined,
      ])
    })

    it('gives each message to one member of the group, and to one of each group', async () => {
      const [one, two, other] = [await member(), await member(), await member('other')]
      const sender = await open()
      const all = Array.from({ length: 40 }, (_, index) => String(index))
      for (const each of all) await sender.publish('staging', bytes(each))
      await until('all arrive', () => other.received.length === 40 && one.received.length + two.received.length === 40)
      expect(other.texts()).toEqual(all)
      const byNumber = (a: string, b: string) => Number(a) - Number(b)
      expect([...one.texts(), ...two.texts()].sort(byNumber)).toEqual(all)
      expect([one, two].every((each) => each.received.length > 0)).toBe(true)
    })

    it('keeps subjects apart', async () => {
      const { texts, received } = await member('g', 'staging', 'vcap.stager.staging')
      const sender = await open()
      await sender.publish('staging.other', bytes('not this'))
      await sender.publish('vcap.stager.staging', bytes('this'))
      await sender.publish('staging', bytes('and this'))
      await until('both arrive', () => received.length === 2)
      expect(texts().sort()).toEqual(['and this', 'this'])
    })

    it.each(['', 'a b', 'a.*', 'a.>', '.a', 'a..b', 'a\r\nPUB x 0'])('publishes nothing to %j', async (subject) => {
      const { received } = await member('g', 'x')
      const sender = await open()
      await expect(sender.publish(subject, bytes('x'))).rejects.toThrow(
        expect.objectContaining({ code: 'bad-subject' }),
      )
      await sender.publish('x', bytes('the connection holds'))
      await until('the next one arrives', () => received.length === 1)
    })

    it('refuses a message that is larger than the server takes', async () => {
      const sender = await open()
      const data = Buffer.alloc(1024 * 1024 + 1)
      await expect(sender.publish('staging', data)).rejects.toThrow(
        expect.objectContaining({ code: 'message-too-large' }),
      )
      await sender.publish('staging', data.subarray(1))
    })

    it('receives nothing more when it is drained, and still answers', async () => {
      const [one, two] = [await member(), await member()]
      const sender = await open()
      for (let count = 0; count < 20; count++) await sender.publish('staging', bytes('early'))
      await one.client.drain()
      const before = one.received.length
      for (let count = 0; count < 20; count++) await sender.publish('staging', bytes('late'))
      await until('all arrive', () => one.received.length + two.received.length === 40)
      expect([one.received.length, one.texts().includes('late')]).toEqual([before, false])
      await one.client.publish('staging', bytes('an answer'))
      await until('the answer arrives', () => two.texts().includes('an answer'))
      await one.client.drain()
    })

    it('subscribes again when the server is back', async () => {
      const { received } = await member()
      const sender = await open()
      await server.stop()
      await expect(sender.publish('staging', bytes('lost'))).rejects.toThrow(
        expect.objectContaining({ code: 'bus-unreachable' }),
      )
      await server.start()
      await until('a message arrives', async () => {
        await sender.publish('staging', bytes('x')).catch(() => undefined)
        return received.some((message) => text(message) === 'x')
      })
    })

    it('says which subscription the server denies, and has it as soon as the server allows it', async () => {
      await server.deny('secret')
      const client = await open()
      const received: BusMessage[] = []
      for (const subject of ['staging', 'secret'])
        client.subscribe(subject, 'group', (message) => received.push(message))
      await expect(client.ready()).rejects.toThrow(expect.objectContaining({ code: 'bus-denied' }))
      expect(client.fault).toContain('"secret"')
      // The others are not hurt.
      const sender = await open()
      await sender.publish('staging', bytes('allowed'))
      await until('it arrives', () => received.length === 1)
      await expect(sender.publish('secret', bytes('x'))).rejects.toThrow(
        expect.objectContaining({ code: 'bus-denied' }),
      )
      await server.deny(undefined)
      await until('it is subscribed', () => client.fault === undefined)
      await client.ready()
      await sender.publish('secret', bytes('now'))
      await until('it arrives', () => received.length === 2)
    })

    it('says so when a subscription is denied later', async () => {
      const { client } = await member('g', 'secret')
      expect(client.fault).toBeUndefined()
      await server.deny('secret')
      await until('it is said', () => client.fault?.includes('"secret"') === true)
    })

    it('has a fault while the server is away', async () => {
      const { client } = await member()
      await server.stop()
      await until('it is said', () => client.fault !== undefined)
      await server.start()
      await until('it is over', () => client.fault === undefined)
    })

    it('can be drained and closed while the server is away, and publishes nothing then', async () => {
      const { client } = await member()
      await server.stop()
      await client.drain()
      await client.close()
      await client.close()
      await expect(client.publish('staging', bytes('x'))).rejects.toThrow(
        expect.objectContaining({ code: 'bus-unreachable' }),
      )
    })
  })
}

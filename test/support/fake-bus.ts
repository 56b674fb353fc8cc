import { BadInput, Refused, TooLarge, Unavailable } from '../../base/errors.js'
import { isSubject, type BusMessage, type MessageBus } from '../../daemon/cloud-foundry/message-bus.js'

interface Member {
  readonly subject: string
  readonly group: string
  readonly handle: (message: BusMessage) => void
}

const LARGEST = 1024 * 1024

/** A server in memory, with its clients. Messages are handed over later than they are published, as those of a socket. */
export class FakeServer {
  readonly members = new Set<Member>()
  /** Subjects that nobody may subscribe or publish to. */
  readonly denied = new Set<string>()
  #isUp = true
  readonly #turns = new Map<string, number>()

  get isUp(): boolean {
    return this.#isUp
  }

  stop(): void {
    this.#isUp = false
  }

  start(): void {
    this.#isUp = true
  }

  get allowed(): Member[] {
    return [...this.members].filter((one) => !this.denied.has(one.subject))
  }

  /** As a client with an inbox does. */
  send(subject: string, data: Uint8Array, reply?: string): void {
    const groups = groupsOf(this.allowed, subject)
    for (const [group, members] of groups) {
      const turn = this.#turns.get(group) ?? 0
      this.#turns.set(group, turn + 1)
      const member = members[turn % members.length]
      if (member) setImmediate(() => member.handle({ subject, data, reply }))
    }
  }
}

function groupsOf(members: Iterable<Member>, subject: string): Map<string, Member[]> {
  const groups = new Map<string, Member[]>()
  for (const member of members)
    if (member.subject === subject) groups.set(member.group, [...(groups.get(member.group) ?? []), member])
  return groups
}

export class FakeBus implements MessageBus {
  readonly #own: Member[] = []
  #isClosed = false

  constructor(private readonly server: FakeServer) {}

  subscribe(subject: string, group: string, handle: (message: BusMessage) => void): void {
    const member = { subject, group, handle }
    this.#own.push(member)
    this.server.members.add(member)
  }

  ready(): Promise<void> {
    return this.#reached(() => this.#assertAllowed(this.#denied))
  }

  get fault(): string | undefined {
    if (this.#isClosed || !this.server.isUp) return 'NATS cannot be reached.'
    return this.#denied && `NATS does not allow "${this.#denied}".`
  }

  get #denied(): string | undefined {
    return this.#own.find(({ subject }) => this.server.denied.has(subject))?.subject
  }

  #assertAllowed(denied: string | undefined): void {
    if (denied !== undefined) throw new Refused('bus-denied', `NATS does not allow "${denied}".`)
  }

  publish(subject: string, data: Uint8Array): Promise<void> {
    return this.#reached(() => {
      if (!isSubject(subject)) throw new BadInput('bad-subject', 'It is not a subject.')
      if (data.length > LARGEST) throw new TooLarge('message-too-large', 'It is too large.')
      this.#assertAllowed(this.server.denied.has(subject) ? subject : undefined)
      this.server.send(subject, data)
    })
  }

  async drain(): Promise<void> {
    for (const member of this.#own) this.server.members.delete(member)
    // After what was handed over before.
    await new Promise((resolve) => setImmediate(resolve))
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.drain()
  }

  async #reached(work: () => void): Promise<void> {
    await Promise.resolve()
    if (this.#isClosed || !this.server.isUp) throw new Unavailable('bus-unreachable', 'NATS cannot be reached.')
    work()
  }
}

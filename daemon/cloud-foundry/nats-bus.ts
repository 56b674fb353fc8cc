import {
  connect,
  PermissionViolationError,
  type Authenticator,
  type ConnectionOptions,
  type NatsConnection,
  type Subscription,
} from '@nats-io/transport-node'
import type { Logger } from 'pino'
import { BadInput, messageOf, Refused, TooLarge, Unavailable } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { isSubject, type BusMessage, type MessageBus } from './message-bus.js'

export interface NatsOptions {
  /** `HOST:PORT`, without credentials: the client repeats these in messages. At least one. */
  readonly servers: readonly string[]
  /** See `readNatsCredentials`. */
  readonly authenticator?: Authenticator | undefined
  /** PEM. Undefined: without TLS, unless the server asks for it. */
  readonly tls?: { readonly authorities?: string; readonly certificate?: string; readonly key?: string } | undefined
  /** Shown by the server. */
  readonly name: string
  readonly logger: Pick<Logger, 'info' | 'warn'>
  /** How long a server may take to confirm something. */
  readonly timeoutMs?: number
  readonly reconnectMs?: number
}

const RECONNECT_MS = 2000

/** What is subscribed to, also while the server does not allow it. */
interface Wanted {
  readonly subject: string
  readonly group: string
  readonly handle: (message: BusMessage) => void
  subscription: Subscription | undefined
  /** It was refused, and is not known to be allowed now. */
  denied: boolean
}

/** A message bus on NATS; see message-bus.ts. */
export class NatsBus implements MessageBus {
  readonly #connection: NatsConnection
  readonly #wanted: Wanted[] = []
  readonly #timeoutMs: number
  readonly #reconnectMs: number
  readonly #logger: NatsOptions['logger']
  readonly #timers = new Set<NodeJS.Timeout>()
  /** Subjects to which something was published that the server has refused. */
  readonly #refused = new Set<string>()
  #isConnected = true
  #drained: Promise<void> | undefined

  private constructor(
    connection: NatsConnection,
    { timeoutMs, reconnectMs, logger }: Required<Pick<NatsOptions, 'timeoutMs' | 'reconnectMs' | 'logger'>>,
  ) {
    this.#connection = connection
    this.#timeoutMs = timeoutMs
    this.#reconnectMs = reconnectMs
    this.#logger = logger
    void this.#follow()
  }

  /**
   * Resolves when one of the servers has accepted the connection. Throws `Unavailable` (`bus-unreachable`); the caller
   * decides when to try again.
   */
  static async open(options: NatsOptions): Promise<NatsBus> {
    const { timeoutMs = 10_000, reconnectMs = RECONNECT_MS, logger } = options
    try {
      const connection = await connect(connectionOptions(options, timeoutMs))
      return new NatsBus(connection, { timeoutMs, reconnectMs, logger })
    } catch (error) {
      throw unreachable(error)
    }
  }

  subscribe(subject: string, group: string, handle: (message: BusMessage) => void): void {
    const wanted: Wanted = { subject, group, handle, subscription: undefined, denied: false }
    this.#wanted.push(wanted)
    this.#ask(wanted)
  }

  async ready(): Promise<void> {
    await this.#confirmed(() => this.#flushed())
    const denied = this.#denial()
    if (denied !== undefined) throw new Refused('bus-denied', denied)
  }

  get fault(): string | undefined {
    if (this.#drained) return 'No more messages are taken.'
    return this.#isConnected ? this.#denial() : 'The connection to NATS is lost; stagerd makes it again.'
  }

  #denial(): string | undefined {
    const found = this.#wanted.find(({ denied }) => denied)
    return (
      found &&
      `NATS does not allow stagerd to subscribe to ${quote(found.subject)} in the queue group ${quote(found.group)}: give its user the permission to.`
    )
  }

  /** Asks the server for it, also where it was denied before. */
  #ask(wanted: Wanted): void {
    const { subject, group, handle } = wanted
    const callback = (error: Error | null, message: { subject: string; data: Uint8Array; reply?: string }) => {
      if (error) {
        if (isDenial(error)) this.#deny(wanted)
        return
      }
      const { reply } = message
      handle({ subject: message.subject, data: message.data, reply: reply === '' ? undefined : reply })
    }
    const subscription = this.#connection.subscribe(subject, { queue: group, callback })
    wanted.subscription = subscription
    if (wanted.denied) void this.#seeWhetherAllowed(wanted, subscription)
  }

  /** The server has refused it. Idempotent. */
  #deny(wanted: Wanted): void {
    const { subject, group, subscription } = wanted
    if (!subscription) return
    if (!wanted.denied) this.#logger.warn({ subject, group }, 'NATS denies a subscription; stagerd tries again')
    wanted.denied = true
    wanted.subscription = undefined
    if (!subscription.isClosed()) subscription.unsubscribe()
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      if (!this.#drained && !this.#connection.isClosed()) this.#ask(wanted)
    }, this.#reconnectMs)
    this.#timers.add(timer)
  }

  async #seeWhetherAllowed(wanted: Wanted, subscription: Subscription): Promise<void> {
    // When the connection is lost meanwhile, the client subscribes again, and is refused again, or not.
    await this.#flushed().catch(() => undefined)
    if (wanted.subscription !== subscription || !wanted.denied) return
    wanted.denied = false
    const { subject, group } = wanted
    this.#logger.info({ subject, group }, 'NATS allows the subscription now')
  }

  /** Resolves when the server has answered, and what it has refused before that is known. */
  async #flushed(): Promise<void> {
    await this.#connection.flush()
    // Refusals come to #follow through a queue.
    await new Promise((resolve) => setImmediate(resolve))
  }

  async publish(subject: string, data: Uint8Array): Promise<void> {
    if (!isSubject(subject))
      throw new BadInput('bad-subject', `${quote(subject)} is not a subject that a message can be sent to.`)
    const largest = this.#connection.info?.max_payload
    if (largest !== undefined && data.length > largest)
      throw new TooLarge('message-too-large', `The message has ${data.length} bytes, and NATS takes ${largest}.`)
    await this.#confirmed(() => {
      this.#connection.publish(subject, data)
      return this.#flushed()
    })
    if (this.#refused.delete(subject))
      throw new Refused(
        'bus-denied',
        `NATS does not allow stagerd to publish to ${quote(subject)}: give its user the permission to.`,
      )
  }

  /** A subscription that is drained has handed over all its messages when the promise resolves. */
  drain(): Promise<void> {
    this.#drained ??= this.#confirmed(async () => {
      const open = this.#wanted.flatMap(({ subscription }) => subscription ?? []).filter((one) => !one.isClosed())
      await Promise.all(open.map((one) => one.drain()))
    }).catch((error: unknown) => {
      // Without a connection, nothing can come any more.
      for (const { subscription } of this.#wanted) subscription?.unsubscribe()
      if (!(error instanceof Unavailable)) throw error
    })
    return this.#drained
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer)
    await this.#connection.close()
  }

  async #follow(): Promise<void> {
    for await (const status of this.#connection.status()) {
      if (status.type === 'disconnect') {
        this.#isConnected = false
        this.#logger.warn({ server: status.server }, 'the connection to NATS is lost')
      }
      if (status.type === 'reconnect') {
        this.#isConnected = true
        this.#logger.info({ server: status.server }, 'the connection to NATS is back')
      }
      if (status.type !== 'error') continue
      const { error } = status
      // Where an older server does not name the queue group, the client does not find the subscription.
      if (isDenial(error)) for (const one of this.#wanted.filter((all) => isOf(all, error))) this.#deny(one)
      else if (error instanceof PermissionViolationError) this.#refused.add(error.subject)
      else this.#logger.warn({ err: error }, 'NATS has refused something')
    }
  }

  /** A connection that is away holds what it is given, and gives it to the next server: nobody waits for that. */
  async #confirmed(work: () => Promise<void>): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new Error(`no answer came within ${this.#timeoutMs / 1000} seconds`))
      }, this.#timeoutMs)
    })
    try {
      await Promise.race([work(), late])
    } catch (error) {
      throw unreachable(error)
    } finally {
      clearTimeout(timer)
    }
  }
}

function connectionOptions(options: NatsOptions, timeoutMs: number): ConnectionOptions {
  const { servers, authenticator, tls, name, reconnectMs = RECONNECT_MS } = options
  const { authorities: ca, certificate: cert, key } = tls ?? {}
  return {
    servers: [...servers],
    name,
    timeout: timeoutMs,
    maxReconnectAttempts: -1,
    reconnectTimeWait: reconnectMs,
    // A password that is changed on the server first, and here later, must not end the service.
    ignoreAuthErrorAbort: true,
    // The settings say where the servers are: others that a server names were not chosen by the operator.
    ignoreClusterUpdates: true,
    ...(authenticator === undefined ? {} : { authenticator }),
    ...(tls === undefined
      ? {}
      : { tls: { ...(ca ? { ca } : {}), ...(cert ? { cert } : {}), ...(key ? { key } : {}) } }),
  }
}

function isDenial(error: Error): error is PermissionViolationError {
  return error instanceof PermissionViolationError && error.operation === 'subscription'
}

function isOf({ subject, group }: Wanted, denial: PermissionViolationError): boolean {
  return denial.subject === subject && (denial.queue ?? group) === group
}

function unreachable(error: unknown): Unavailable {
  return new Unavailable('bus-unreachable', `NATS cannot be reached: ${messageOf(error)}.`, { cause: error })
}

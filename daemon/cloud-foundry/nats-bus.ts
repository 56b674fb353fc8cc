import {
  connect,
  type Authenticator,
  type ConnectionOptions,
  type NatsConnection,
  type Subscription,
} from '@nats-io/transport-node'
import type { Logger } from 'pino'
import { BadInput, messageOf, TooLarge, Unavailable } from '../../base/errors.js'
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

/** A message bus on NATS; see message-bus.ts. */
export class NatsBus implements MessageBus {
  readonly #connection: NatsConnection
  readonly #subscriptions: Subscription[] = []
  readonly #timeoutMs: number
  #drained: Promise<void> | undefined

  private constructor(connection: NatsConnection, timeoutMs: number) {
    this.#connection = connection
    this.#timeoutMs = timeoutMs
  }

  /**
   * Resolves when one of the servers has accepted the connection. Throws `Unavailable` (`bus-unreachable`); the caller
   * decides when to try again.
   */
  static async open(options: NatsOptions): Promise<NatsBus> {
    const { timeoutMs = 10_000, logger } = options
    try {
      const connection = await connect(connectionOptions(options, timeoutMs))
      void report(connection, logger)
      return new NatsBus(connection, timeoutMs)
    } catch (error) {
      throw unreachable(error)
    }
  }

  subscribe(subject: string, group: string, handle: (message: BusMessage) => void): void {
    const callback = (error: Error | null, message: { subject: string; data: Uint8Array; reply?: string }) => {
      if (error) return
      const { reply } = message
      handle({ subject: message.subject, data: message.data, reply: reply === '' ? undefined : reply })
    }
    this.#subscriptions.push(this.#connection.subscribe(subject, { queue: group, callback }))
  }

  async ready(): Promise<void> {
    await this.#confirmed(async () => this.#connection.flush())
  }

  async publish(subject: string, data: Uint8Array): Promise<void> {
    if (!isSubject(subject))
      throw new BadInput('bad-subject', `${quote(subject)} is not a subject that a message can be sent to.`)
    const largest = this.#connection.info?.max_payload
    if (largest !== undefined && data.length > largest)
      throw new TooLarge('message-too-large', `The message has ${data.length} bytes, and NATS takes ${largest}.`)
    await this.#confirmed(async () => {
      this.#connection.publish(subject, data)
      await this.#connection.flush()
    })
  }

  /** A subscription that is drained has handed over all its messages when the promise resolves. */
  drain(): Promise<void> {
    this.#drained ??= this.#confirmed(async () => {
      await Promise.all(this.#subscriptions.map((one) => one.drain()))
    }).catch((error: unknown) => {
      // Without a connection, nothing can come any more.
      for (const one of this.#subscriptions) one.unsubscribe()
      if (!(error instanceof Unavailable)) throw error
    })
    return this.#drained
  }

  async close(): Promise<void> {
    await this.#connection.close()
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
  const { servers, authenticator, tls, name, reconnectMs = 2000 } = options
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

async function report(connection: NatsConnection, logger: NatsOptions['logger']): Promise<void> {
  for await (const status of connection.status()) {
    if (status.type === 'disconnect') logger.warn({ server: status.server }, 'the connection to NATS is lost')
    if (status.type === 'reconnect') logger.info({ server: status.server }, 'the connection to NATS is back')
    if (status.type === 'error') logger.warn({ err: status.error }, 'NATS has refused something')
  }
}

function unreachable(error: unknown): Unavailable {
  return new Unavailable('bus-unreachable', `NATS cannot be reached: ${messageOf(error)}.`, { cause: error })
}

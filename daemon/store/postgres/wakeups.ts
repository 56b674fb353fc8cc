import type { Client } from 'pg'
import { Mutex } from '../../../base/mutex.js'
import { WAKEUP_TOPICS, type WakeupListener, type Wakeups, type WakeupTopic } from '../wakeups.js'
import type { PostgresOptions } from './database.js'
import { firstThat, type PostgresServer } from './servers.js'

/** Of the channels. Their names are common to all schemas of a database. */
const PREFIX = 'stagerd.'

export interface WakeupTimes {
  /** How long after a connection was lost the next one is tried, in milliseconds. */
  readonly againMs: number
  /** How often the connection is tried: one that a network has dropped in silence does not end by itself. */
  readonly proveMs: number
  /** How long an answer may take. */
  readonly answerMs: number
}

const TIMES: WakeupTimes = { againMs: 1_000, proveMs: 30_000, answerMs: 10_000 }

/**
 * `LISTEN` and `NOTIFY` on a connection of their own. While there is none, nothing is told; when there is one again, every
 * listener is told that it may have missed something.
 */
export class PostgresWakeups implements Wakeups {
  readonly #options: PostgresOptions
  readonly #times: WakeupTimes
  readonly #listeners = new Map<WakeupTopic, Set<{ readonly tell: WakeupListener }>>()
  readonly #proving: NodeJS.Timeout
  readonly #oneQuery = new Mutex()
  readonly #servers: readonly PostgresServer[]
  /** The one that was used last. */
  #current = 0
  #client: Client | undefined
  #again: NodeJS.Timeout | undefined
  #connecting: Promise<void> | undefined
  #closed = false

  private constructor(options: PostgresOptions, times: WakeupTimes) {
    const { host, port, ssl, others = [], ...common } = options
    this.#options = common
    this.#servers = [{ host, port, ssl }, ...others]
    this.#times = times
    this.#proving = setInterval(() => void this.#ask('SELECT 1'), times.proveMs).unref()
  }

  /** Resolves when it listens. Rejects with errors of the driver. */
  static async open(options: PostgresOptions, times: Partial<WakeupTimes> = {}): Promise<PostgresWakeups> {
    const wakeups = new PostgresWakeups(options, { ...TIMES, ...times })
    try {
      await wakeups.#connect()
      return wakeups
    } catch (error) {
      await wakeups.close()
      throw error
    }
  }

  notify(topic: WakeupTopic, about: string): void {
    // What is lost is found by the periodic look of the others.
    void this.#ask('SELECT pg_notify($1, $2)', [`${PREFIX}${topic}`, about])
  }

  listen(topic: WakeupTopic, tell: WakeupListener): () => void {
    const listeners = this.#listeners.get(topic) ?? new Set()
    this.#listeners.set(topic, listeners)
    const listener = { tell }
    listeners.add(listener)
    return () => void listeners.delete(listener)
  }

  /** Nothing is told any more. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true
    for (const listeners of this.#listeners.values()) listeners.clear()
    clearInterval(this.#proving)
    clearTimeout(this.#again)
    await this.#connecting?.catch(() => undefined)
    await this.#client?.end()
  }

  async #connect(): Promise<void> {
    const { index, value } = await firstThat(this.#servers.length, this.#current, (at) =>
      this.#listenTo(this.#servers[at]),
    )
    this.#current = index
    this.#client = value
  }

  /** A standby refuses it. */
  async #listenTo(server: PostgresServer | undefined): Promise<Client> {
    const { Client } = (await import('pg')).default
    const client = new Client({
      ...{ application_name: 'stagerd', keepAlive: true, connectionTimeoutMillis: this.#times.answerMs },
      ...this.#options,
      ...server,
      query_timeout: this.#times.answerMs,
    })
    client.on('notification', ({ channel, payload = '' }) => this.#tell(channel, payload))
    // It is followed by the end.
    client.on('error', () => undefined)
    client.on('end', () => this.#lost(client))
    try {
      await client.connect()
      await client.query(WAKEUP_TOPICS.map((topic) => `LISTEN "${PREFIX}${topic}"`).join('; '))
    } catch (error) {
      await client.end().catch(() => undefined)
      throw error
    }
    return client
  }

  #lost(client: Client): void {
    if (this.#client !== client) return
    this.#client = undefined
    this.#connectLater()
  }

  #connectLater(): void {
    if (this.#closed) return
    this.#again = setTimeout(() => {
      this.#connecting = this.#connect().then(
        () => this.#mayHaveMissed(),
        () => this.#connectLater(),
      )
    }, this.#times.againMs).unref()
  }

  /** One after the other. Never rejects; a connection that does not answer is closed, and with it what waits for it. */
  async #ask(text: string, values: readonly string[] = []): Promise<void> {
    const client = this.#client
    await this.#oneQuery
      .run(async () => {
        await client?.query(text, [...values])
      })
      .catch(() => client?.end().catch(() => undefined))
  }

  #tell(channel: string, about: string): void {
    const topic = WAKEUP_TOPICS.find((one) => channel === `${PREFIX}${one}`)
    if (topic) this.#tellAll(topic, about)
  }

  #mayHaveMissed(): void {
    for (const topic of WAKEUP_TOPICS) this.#tellAll(topic, undefined)
  }

  #tellAll(topic: WakeupTopic, about: string | undefined): void {
    const listeners = this.#listeners.get(topic) ?? new Set()
    // One of them may end another.
    for (const listener of [...listeners]) if (listeners.has(listener)) listener.tell(about)
  }
}

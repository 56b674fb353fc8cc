import Database from 'better-sqlite3'
import path from 'node:path'
import type { KilledDaemon } from './killed-daemon.js'
import { SocketClient } from './engineless-daemon.js'
import { Workload } from './workload.js'

export interface RecordedTask {
  readonly id: string
  readonly reply: string
  readonly uploading: 0 | 1
  readonly answer: string | null
}

/** What the database of a daemon has that has ended. */
export function recordedTasks(stateDir: string): readonly RecordedTask[] {
  const database = new Database(path.join(stateDir, 'stagerd.db'))
  try {
    return database
      .prepare<[], RecordedTask>('SELECT id, reply, uploading, answer FROM cloud_foundry_tasks ORDER BY number')
      .all()
  } finally {
    database.close()
  }
}

/** A daemon without an Engine that takes staging requests from NATS, and can be killed. */
export class StagingNode {
  readonly client: SocketClient
  readonly #flags: Readonly<Record<string, string>>

  constructor(
    readonly daemon: KilledDaemon,
    readonly stateDir: string,
    nats: { readonly port: number },
    more: Readonly<Record<string, string>> = {},
  ) {
    this.client = new SocketClient(daemon.socket)
    this.#flags = {
      cloudFoundryNats: `nats://127.0.0.1:${nats.port}`,
      cloudFoundryNetworks: '127.0.0.0/8',
      ...more,
    }
  }

  /** Returns its process id. */
  async start(): Promise<number> {
    const pid = this.daemon.spawn(this.stateDir, this.#flags)
    if (!(await this.daemon.ready())) throw new Error('the daemon was killed')
    return pid
  }

  /** What stages Node.js applications. To be called once. */
  async prepare(): Promise<void> {
    await new Workload(this.client, () => undefined).prepare()
    const stager = { namespace: '/', name: 'accept', package: 'package::/::program', start_command: './accept' }
    const { uuid } = await this.#made('/v1/stagers', stager)
    await this.#made('/v1/stagingpipelines', { namespace: '/', name: 'nodejs', stagers: [uuid] })
  }

  async #made(url: string, document: object): Promise<{ readonly uuid: string }> {
    const { status, body, document: made } = await this.client.call('POST', url, document)
    if (status !== 201) throw new Error(`${url}: ${status} ${body.toString()}`)
    return made as { readonly uuid: string }
  }

  /** What its database has. The daemon must have ended. */
  recorded(): readonly RecordedTask[] {
    return recordedTasks(this.stateDir)
  }

  /** Whether all of its stagings have ended. */
  async isIdle(): Promise<boolean> {
    const { document } = await this.client.call('GET', '/v1/stagings?limit=1000')
    const states = (document as readonly { readonly state: string }[]).map(({ state }) => state)
    return states.every((state) => state !== 'queued' && state !== 'running')
  }

  /** How many stagings each package has had, by its full name. */
  async stagings(): Promise<ReadonlyMap<string, number>> {
    const { document } = await this.client.call('GET', '/v1/stagings?limit=1000')
    const counts = new Map<string, number>()
    for (const one of document as readonly { readonly package: string }[])
      counts.set(one.package, (counts.get(one.package) ?? 0) + 1)
    return counts
  }
}

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Daemon } from '../../../daemon/lifecycle.js'
import type { Staging } from '../../../daemon/documents/staging.js'
import { figures } from '../../hostile/support/promises.js'
import { until } from '../until.js'
import { findHalfDone, findLeft, findLost } from './checkers.js'
import { openEngineless, SocketClient, type Answer } from './engineless-daemon.js'
import { Refusal, Workload, type Acknowledged } from './workload.js'

/**
 * The one checker of all durability tests: asks a daemon from outside, as soon as no staging is at work, and counts two
 * checks. Throws if something is lost, half-done or left.
 *
 * @param what has happened to the node
 * @param counted those of all tests, by default
 */
export async function expectDurable(
  what: string,
  { client, stateDir }: { readonly client: Pick<SocketClient, 'call'>; readonly stateDir: string },
  acknowledged: readonly Acknowledged[],
  counted = figures,
): Promise<void> {
  await until('all stagings have ended', async () => {
    const { document } = await client.call('GET', '/v1/stagings?limit=1000')
    return (document as Staging[]).every(({ state }) => state !== 'queued' && state !== 'running')
  })
  counted.check('loss', what, [...(await findLost(client, acknowledged)), ...(await findHalfDone(client))])
  counted.check('leftover', what, await findLeft(stateDir))
}

/** A daemon without an Engine in this process, what it is asked for, and what it has acknowledged. */
export class NodeUnderTest {
  readonly #directory: string
  #daemon: Daemon | undefined

  private constructor(
    directory: string,
    readonly stateDir: string,
    readonly client: SocketClient,
    readonly workload: Workload,
    readonly acknowledged: readonly Acknowledged[],
  ) {
    this.#directory = directory
  }

  /** The caller closes it. Throws what its start throws. @param told called with what is acknowledged, before the next request */
  static async open(stateDir: string, told: (one: Acknowledged) => void = () => undefined): Promise<NodeUnderTest> {
    const directory = await mkdtemp(path.join(tmpdir(), 'stagerd-test-'))
    const client = new SocketClient(path.join(directory, 'socket'))
    const acknowledged: Acknowledged[] = []
    const workload = new Workload(client, (one) => {
      acknowledged.push(one)
      told(one)
    })
    const node = new NodeUnderTest(directory, stateDir, client, workload, acknowledged)
    try {
      await node.start()
      return node
    } catch (error) {
      await node.close()
      throw error
    }
  }

  async start(): Promise<void> {
    const { daemon } = await openEngineless({ stateDir: this.stateDir, socket: path.join(this.#directory, 'socket') })
    await daemon.start()
    this.#daemon = daemon
  }

  async stop(): Promise<void> {
    await this.#daemon?.stop()
    this.#daemon = undefined
  }

  async restart(): Promise<void> {
    await this.stop()
    await this.start()
  }

  /** The answer also where it is a refusal. */
  async do(operation: string): Promise<Answer> {
    try {
      return await this.workload.operations[operation]!()
    } catch (error) {
      if (error instanceof Refusal) return error.answer
      throw error
    }
  }

  /** See `expectDurable`. */
  async expectDurable(what: string, acknowledged = this.acknowledged, counted = figures): Promise<void> {
    await expectDurable(what, this, acknowledged, counted)
  }

  async close(): Promise<void> {
    await this.client.close()
    await this.stop()
    await rm(this.#directory, { recursive: true })
  }
}

import type { NetConnectOpts } from 'node:net'
import type Docker from 'dockerode'
import { connectEngine } from '../../../isolation/engine/connect.js'
import { CuttableNetwork } from '../../support/fleet/cuttable-network.js'
import { expectNothingLeft, leftovers, removeImages } from './leftovers.js'
import type { PrivateDaemon } from './private-daemon.js'
import { PrivateEngine } from './private-engine.js'
import { PrivateHost, type HostNetwork } from './private-host.js'

/** Where the servers of a fleet listen. */
export interface Servers {
  readonly database: { readonly host: string; readonly port: number }
  readonly blobs: { readonly host: string; readonly port: number }
}

/** Starts a daemon whose servers are there. */
export type StartDaemon = (
  servers: Servers,
  environment: NodeJS.ProcessEnv,
  host: PrivateHost | undefined,
) => Promise<PrivateDaemon>

/** A node of a fleet, and what can be done to it. */
export abstract class FleetNode {
  protected constructor(
    readonly daemon: PrivateDaemon,
    private readonly engine: Docker,
  ) {}

  /** From then on, nothing arrives between the node and the servers, and nobody is told. */
  abstract cut(): Promise<void>
  /** What was on its way may still arrive. */
  abstract mend(): Promise<void>

  async kill(): Promise<void> {
    await this.daemon.kill()
  }

  async restart(): Promise<void> {
    await this.daemon.restart()
  }

  /** What its launches have on its host, one line each. */
  async leftovers(): Promise<readonly string[]> {
    return await leftovers(this.daemon, this.engine)
  }

  /** Ends it and removes what is its own. Throws if it has left something of its launches. Its daemon must have stopped. */
  async close(): Promise<void> {
    await expectNothingLeft(this.daemon, this.engine)
    await removeImages(this.daemon, this.engine)
    await this.daemon.close()
  }
}

/** A node on this host and its Engine, which reaches each server over a connection of its own. */
export class LocalNode extends FleetNode {
  private constructor(
    daemon: PrivateDaemon,
    private readonly networks: readonly CuttableNetwork[],
  ) {
    super(daemon, connectEngine())
  }

  static async start(database: NetConnectOpts, blobs: NetConnectOpts, startDaemon: StartDaemon): Promise<LocalNode> {
    const [toDatabase, toBlobs] = [await CuttableNetwork.to(database), await CuttableNetwork.to(blobs)]
    const at = ({ port }: CuttableNetwork) => ({ host: '127.0.0.1', port })
    const daemon = await startDaemon({ database: at(toDatabase), blobs: at(toBlobs) }, {}, undefined)
    return new LocalNode(daemon, [toDatabase, toBlobs])
  }

  override cut(): Promise<void> {
    for (const network of this.networks) network.cut()
    return Promise.resolve()
  }

  override mend(): Promise<void> {
    for (const network of this.networks) network.mend()
    return Promise.resolve()
  }

  override async close(): Promise<void> {
    try {
      await super.close()
    } finally {
      for (const network of this.networks) await network.close()
    }
  }
}

/** A node on a host of its own, with its own Engine, which dies together with it. */
export class RemoteNode extends FleetNode {
  private constructor(
    daemon: PrivateDaemon,
    private readonly host: PrivateHost,
    private readonly ownEngine: PrivateEngine,
  ) {
    super(daemon, ownEngine.engine)
  }

  static async start(network: HostNetwork, servers: Servers, startDaemon: StartDaemon): Promise<RemoteNode> {
    const host = await PrivateHost.start(network)
    const engine = await PrivateEngine.start('overlay2', [], host)
    return new RemoteNode(await startDaemon(servers, engine.environment, host), host, engine)
  }

  override async cut(): Promise<void> {
    await this.host.cut()
  }

  override async mend(): Promise<void> {
    await this.host.mend()
  }

  override async kill(): Promise<void> {
    await Promise.all([super.kill(), this.ownEngine.kill()])
  }

  override async restart(): Promise<void> {
    await this.ownEngine.restart()
    await super.restart()
  }

  override async close(): Promise<void> {
    try {
      await super.close()
    } finally {
      await this.ownEngine.close()
      await this.host.close()
    }
  }
}

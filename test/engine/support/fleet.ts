import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { settleAll } from '../../../base/settle-all.js'
import { PostgresServer } from '../../daemon/store/postgres-server.js'
import { SwiftServer } from '../../support/s3/swift-server.js'
import { LocalNode, RemoteNode, type FleetNode, type StartDaemon } from './fleet-node.js'
import { CHECKOUT, PrivateDaemon } from './private-daemon.js'
import { HostNetwork } from './private-host.js'

/** Where the package `faketime` of Debian has it. */
const FAKETIME = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1'

const BROKEN_LEASE = path.join(CHECKOUT, 'test/support/fleet/broken-lease.js')

export interface FleetOptions {
  readonly flags: readonly string[]
  /** By how many seconds the clock of each node is ahead: so many nodes there are. */
  readonly aheadSeconds: readonly number[]
  /** `one`: that of this host, for all nodes. `own`: each node has a host of its own (PrivateHost) with an Engine. */
  readonly engines: 'one' | 'own'
  /** Whether the lease of the first node has no effect (test/support/fleet/broken-lease.js). */
  readonly isLeaseBroken: boolean
}

/** Several daemons, each with a state directory of its own, that share a PostgreSQL and an object store. */
export class Fleet {
  private constructor(
    readonly nodes: readonly FleetNode[],
    readonly database: PostgresServer,
    readonly blobs: SwiftServer,
    private readonly network: HostNetwork | undefined,
  ) {}

  static async start({ flags, aheadSeconds, engines, isLeaseBroken }: FleetOptions): Promise<Fleet> {
    const network = engines === 'own' ? await HostNetwork.start() : undefined
    const address = network?.address ?? '127.0.0.1'
    const [database, blobs] = await Promise.all([
      PostgresServer.start({ listen_addresses: address }),
      SwiftServer.open(address),
    ])
    const { bucket, credentials, endpoint } = blobs.options
    const atBlobs = { host: address, port: Number(new URL(endpoint).port) }
    const credentialsFile = path.join(blobs.directory, 'credentials')
    await writeFile(credentialsFile, `${credentials!.accessKeyId}\n${credentials!.secretAccessKey}\n`, { mode: 0o600 })
    const secretsKey = path.join(blobs.directory, 'secrets.key')
    await writeFile(secretsKey, 'k'.repeat(32), { mode: 0o600 })
    const nodes: FleetNode[] = []
    // One after the other: the first one makes the tables.
    for (const [index, ahead] of aheadSeconds.entries()) {
      const name = `node-${index}`
      // Each has a role of its own, by which the database knows who has changed what.
      await database.query(`CREATE ROLE "${name}" SUPERUSER LOGIN`)
      const clock = ahead === 0 ? {} : { LD_PRELOAD: FAKETIME, FAKETIME: `+${ahead}s`, DONT_FAKE_MONOTONIC: '1' }
      const lease = isLeaseBroken && index === 0 ? { NODE_OPTIONS: `--import ${BROKEN_LEASE}` } : {}
      const startDaemon: StartDaemon = (to, environment, host) =>
        PrivateDaemon.start(
          [
            ...['--database', 'postgresql', '--postgresql-tls', 'disable', '--postgresql-user', name],
            ...['--postgresql-host', to.database.host, '--postgresql-port', String(to.database.port)],
            ...['--postgresql-database', 'postgres'],
            ...['--blob-store', 's3', '--s3-endpoint', `http://${to.blobs.host}:${to.blobs.port}`],
            ...['--s3-bucket', bucket, '--s3-credentials', credentialsFile, '--secrets-key', secretsKey],
            ...['--node-name', name],
            ...flags,
          ],
          { ...environment, ...clock, ...lease },
          { host },
        )
      const node = network
        ? RemoteNode.start(network, { database: { host: address, port: database.port }, blobs: atBlobs }, startDaemon)
        : LocalNode.start({ path: database.socket }, atBlobs, startDaemon)
      nodes.push(await node)
    }
    return new Fleet(nodes, database, blobs, network)
  }

  /** Ends all of it. Throws if a node has left something of its launches. */
  async close(): Promise<void> {
    await Promise.all(this.nodes.map(({ daemon }) => daemon.stop()))
    try {
      await settleAll(this.nodes.map((node) => node.close()))
    } finally {
      await this.database.stop()
      await this.blobs.close()
      await this.network?.close()
    }
  }
}

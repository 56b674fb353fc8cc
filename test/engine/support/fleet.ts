import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { PostgresServer } from '../../daemon/store/postgres-server.js'
import { CuttableNetwork } from '../../support/fleet/cuttable-network.js'
import { SwiftServer } from '../../support/s3/swift-server.js'
import { expectNothingLeft, removeImages } from './leftovers.js'
import { PrivateDaemon } from './private-daemon.js'

/** Where the package `faketime` of Debian has it. */
const FAKETIME = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1'

export interface FleetNode {
  readonly daemon: PrivateDaemon
  readonly toDatabase: CuttableNetwork
  readonly toBlobs: CuttableNetwork
}

export interface FleetOptions {
  readonly flags: readonly string[]
  /** By how many seconds the clock of each node is ahead: so many nodes there are. */
  readonly aheadSeconds: readonly number[]
}

/**
 * Several daemons on the Engine of this host, each with a state directory of its own, that share a PostgreSQL and an object store. Each
 * reaches these over networks of its own.
 */
export class Fleet {
  private constructor(
    readonly nodes: readonly FleetNode[],
    readonly database: PostgresServer,
    readonly blobs: SwiftServer,
  ) {}

  static async start({ flags, aheadSeconds }: FleetOptions): Promise<Fleet> {
    const [database, blobs] = await Promise.all([PostgresServer.start(), SwiftServer.open()])
    const { bucket, credentials, endpoint } = blobs.options
    const credentialsFile = path.join(blobs.directory, 'credentials')
    await writeFile(credentialsFile, `${credentials!.accessKeyId}\n${credentials!.secretAccessKey}\n`, { mode: 0o600 })
    const secretsKey = path.join(blobs.directory, 'secrets.key')
    await writeFile(secretsKey, 'k'.repeat(32), { mode: 0o600 })
    const nodes: FleetNode[] = []
    // One after the other: the first one makes the tables.
    for (const [index, ahead] of aheadSeconds.entries()) {
      const toDatabase = await CuttableNetwork.to({ path: path.join(database.directory, `.s.PGSQL.${database.port}`) })
      const toBlobs = await CuttableNetwork.to({ host: '127.0.0.1', port: Number(new URL(endpoint).port) })
      const daemon = await PrivateDaemon.start(
        [
          ...['--database', 'postgresql', '--postgresql-tls', 'disable'],
          ...['--postgresql-host', '127.0.0.1', '--postgresql-port', String(toDatabase.port)],
          ...['--postgresql-database', 'postgres'],
          ...['--blob-store', 's3', '--s3-endpoint', `http://127.0.0.1:${toBlobs.port}`, '--s3-bucket', bucket],
          ...['--s3-credentials', credentialsFile, '--secrets-key', secretsKey],
          ...['--node-name', `node-${index}`],
          ...flags,
        ],
        ahead === 0 ? {} : { LD_PRELOAD: FAKETIME, FAKETIME: `+${ahead}s`, DONT_FAKE_MONOTONIC: '1' },
      )
      nodes.push({ daemon, toDatabase, toBlobs })
    }
    return new Fleet(nodes, database, blobs)
  }

  /** Ends all of it. Throws if a node has left something of its launches. */
  async close(): Promise<void> {
    await Promise.all(this.nodes.map(({ daemon }) => daemon.stop()))
    for (const { daemon } of this.nodes) {
      await expectNothingLeft(daemon)
      await removeImages(daemon)
    }
    for (const { daemon, toDatabase, toBlobs } of this.nodes) {
      await daemon.close()
      await toDatabase.close()
      await toBlobs.close()
    }
    await this.database.stop()
    await this.blobs.close()
  }
}

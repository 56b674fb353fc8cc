import { spawn } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import pg from 'pg'
import { expect } from 'vitest'
import { CleanupStack } from '../../../base/cleanup-stack.js'
import { openBucket } from '../../../daemon/build-blob-store.js'
import { buildStore } from '../../../daemon/build-store.js'
import { LogStore } from '../../../daemon/log/log-store.js'
import { SharedLogs } from '../../../daemon/log/shared-logs.js'
import { loadSettings } from '../../../daemon/settings/load-settings.js'
import type { Settings } from '../../../daemon/settings/settings.js'
import { StateDirectory } from '../../../daemon/state-directory.js'
import { DirectoryBlobStore } from '../../../daemon/store/directory-blob-store.js'
import { S3BlobStore } from '../../../daemon/store/s3/index.js'
import { Connection } from '../../../daemon/store/sqlite/connection.js'
import { fill } from '../../contract/backups.js'
import { packageDraft, resource, stagerDraft, stagerSnapshot } from '../../contract/samples.js'
import { nodeLedgerOf } from '../../support/fleet/node-ledger.js'
import type { SwiftServer } from '../../support/s3/swift-server.js'
import type { PostgresServer } from '../store/postgres-server.js'

export const RUNNING_LINES = ['begin', 'go on']

/** Settings files of nodes below a directory, on servers that the tests have. */
export class TwoNodes {
  #made = 0

  constructor(
    readonly directory: string,
    private readonly postgres: PostgresServer,
    private readonly swift: SwiftServer,
  ) {}

  /** A file of settings for a node with a state directory of its own: SQLite and files. */
  async single(more: Readonly<Record<string, string>> = {}): Promise<string> {
    return await this.#write({
      'state-dir': path.join(this.directory, `state-${this.#made}`),
      'package-quota': '9000GB',
      ...more,
    })
  }

  /** One on PostgreSQL and a bucket, both empty. */
  async fleet(more: Readonly<Record<string, string>> = {}): Promise<string> {
    const database = `node_${this.#made}_${randomUUID().slice(0, 8)}`
    await this.postgres.query(`CREATE DATABASE ${database} TEMPLATE template0`)
    const { endpoint, bucket, credentials } = this.swift.options
    const secret = path.join(this.directory, 's3-credentials')
    await writeFile(secret, `${credentials?.accessKeyId}\n${credentials?.secretAccessKey}\n`)
    await chmod(secret, 0o600)
    return await this.single({
      ...{ database: 'postgresql', 'postgresql-host': this.postgres.directory, 'postgresql-database': database },
      ...{ 'postgresql-port': String(this.postgres.port), 'blob-store': 's3', 's3-endpoint': endpoint },
      ...{ 's3-bucket': bucket, 's3-prefix': `${database}/`, 's3-credentials': secret, ...more },
    })
  }

  async #write(settings: Readonly<Record<string, string>>): Promise<string> {
    const file = path.join(this.directory, `node-${this.#made++}.toml`)
    const lines = Object.entries(settings).map(([key, value]) =>
      /^\d+$/.test(value) ? `${key} = ${value}\n` : `${key} = ${JSON.stringify(value)}\n`,
    )
    await writeFile(file, lines.join(''))
    return file
  }

  /** Directly in the database of a node on PostgreSQL. */
  async query(settings: Settings, text: string): Promise<void> {
    const client = new pg.Client({ ...this.postgres.connection(), database: settings.database.name })
    await client.connect()
    await client.query(text)
    await client.end()
  }
}

export async function settingsOf(file: string): Promise<Settings> {
  return await loadSettings({ flags: {}, environment: {}, file, fileIsRequired: true, workingDirectory: '/' })
}

/** All that a node stores, without a daemon. */
export async function openNode(settings: Settings) {
  const undo = new CleanupStack()
  const state = await StateDirectory.open(settings.stateDir, undo)
  const store = await buildStore({ settings, state, authorities: undefined }, undo)
  const hasEnded = async (uuid: string) => (await store.ledger.get(uuid)).endedAt !== undefined
  const close = async () => void (await undo.run())
  if (settings.blobs.store === 'directory') {
    const logs = new LogStore(state.logs, hasEnded)
    return { state, store, logs, close, blobs: await DirectoryBlobStore.open(state.blobs) }
  }
  const databaseId = await store.id()
  const bucket = await openBucket({ settings: settings.blobs, state, authorities: undefined, databaseId }, undo)
  const shared = new SharedLogs(bucket, { warn: () => undefined })
  const blobs = await S3BlobStore.open(bucket, path.join(state.blobCache, 'new'))
  return { state, store, logs: new LogStore(state.logs, hasEnded, { shared }), close, blobs }
}

export type OpenNode = Awaited<ReturnType<typeof openNode>>

/**
 * Gives a node with SQLite rows in every table, data, logs and a key, as a daemon leaves them that was killed: a staging runs, with a
 * term that is open.
 */
export async function furnish(settings: Settings, { blobs: count = 3, bytes = 1000 } = {}) {
  const node = await openNode(settings)
  const { state, store, blobs, logs } = node
  await fill(store)
  const contents = Array.from({ length: count }, () => randomBytes(bytes))
  const digests: string[] = []
  for (const content of contents) {
    const { sha256, length } = await blobs.write(Readable.from([content]))
    digests.push(sha256)
    const draft = packageDraft(`data-${digests.length}`, { resource: resource({ sha256, length }), state: 'ready' })
    await store.packages.create(draft)
  }
  const { sha256: upload } = await blobs.write(Readable.from(['an upload that no package refers to yet']))

  const owner = (await store.packages.list({ namespace: '/acme' })).find(({ name }) => name === 'data-1')!
  const { uuid: stagerUuid } = await store.stagers.create(stagerDraft('with-secret', owner.uuid))
  await store.secrets.put({ stagerUuid, name: 'KEY', sealed: Buffer.from([0, 1, 255]) })
  const request = { packageUuid: owner.uuid, pipelineFqn: 'stagpipe::/acme::pipe', stagers: [stagerSnapshot('s')] }
  const waiting = await store.ledger.submit({
    ...{ ...request, awaitsSource: true, secrets: { names: ['A'], sealed: Buffer.from('sealed') } },
  })
  await store.tasks.record([{ id: 't', request: Buffer.from([255, 0]), reply: 'r', answer: undefined }])
  await store.verifications.record([{ kind: 'blob', id: digests[0]!, at: new Date(), damaged: undefined }], [])

  const ledger = await nodeLedgerOf(store)
  const running = (await ledger.admitNext())!
  await ledger.beginLaunch(running.uuid, { uuid: randomUUID(), stagerFqn: 'job::/acme::s', step: running.step })
  const writer = await logs.write(running.uuid)
  await writer.message(...RUNNING_LINES)
  await writer.close()
  const ended = (await store.ledger.list({})).find(({ endedAt }) => endedAt !== undefined)!
  await logs.writeWhole(ended.uuid, ['all of it'])
  const [bootstrap] = await store.bootstraps.list(1)
  await mkdir(state.bootstrapLogs)
  await writeFile(
    path.join(state.bootstrapLogs, `${bootstrap!.uuid}.ndjson`),
    await readFile(logFile(state, ended.uuid)),
  )
  await writeFile(state.secretsKey, randomBytes(32), { mode: 0o600 })
  await node.close()

  const database = new Connection(state.database)
  database
    .prepare('INSERT INTO package_outputs (package, sha256, length) VALUES (?, ?, 1)')
    .run(owner.importOrder, 'd'.repeat(64))
  database.close()
  const key = await readFile(state.secretsKey)
  return { digests, contents, upload, waiting, running, ended, bootstrap: bootstrap!, stagerUuid, key }
}

function logFile(state: StateDirectory, uuid: string): string {
  return path.join(state.logs, `${uuid}.ndjson`)
}

/** The texts of a log. */
export async function linesOf({ logs }: Pick<OpenNode, 'logs'>, uuid: string): Promise<readonly string[]> {
  const lines: string[] = []
  const options = { since: 0, follow: false, signal: new AbortController().signal }
  for await (const { text } of logs.follow(uuid, options)) lines.push(text)
  return lines
}

/** When each blob was written or touched, in milliseconds. */
export async function times(blobs: OpenNode['blobs']): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>()
  for await (const { sha256, modifiedAt } of blobs.list()) found.set(sha256, modifiedAt.getTime())
  return found
}

/** Sends the signal when it says how much it has copied. */
export async function runUntilCopying(program: string, from: string, to: string, signal?: NodeJS.Signals) {
  // The library of the object store warns of the end of Node.js 20.
  const env = { ...process.env, NODE_NO_WARNINGS: '1' }
  const child = spawn(process.execPath, [program, 'migrate', '--config', from, '--to-config', to], { env })
  let [out, err] = ['', '']
  child.stdout.on('data', (text: Buffer) => {
    out += String(text)
    if (signal && / resources, /.test(out)) child.kill(signal)
  })
  child.stderr.on('data', (text: Buffer) => (err += String(text)))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, out, err }
}

type Furnished = Awaited<ReturnType<typeof furnish>>

/** All of a node that was furnished, elsewhere. */
export async function expectAll(node: OpenNode, made: Furnished): Promise<void> {
  const { store, blobs, state } = node
  for (const [index, sha256] of made.digests.entries())
    expect(await buffer((await blobs.open(sha256)).stream)).toEqual(made.contents[index])
  expect(await blobs.has(made.upload)).toBe(true)
  expect(await readFile(state.secretsKey)).toEqual(made.key)
  expect((await stat(state.secretsKey)).mode & 0o777).toBe(0o600)
  expect(Buffer.from((await store.secrets.ofStagers([made.stagerUuid]))[0]!.sealed)).toEqual(Buffer.from([0, 1, 255]))
  expect(Buffer.from((await store.secrets.ofStaging(made.waiting.uuid))!)).toEqual(Buffer.from('sealed'))
  expect(Buffer.from((await store.tasks.all())[0]!.request)).toEqual(Buffer.from([255, 0]))
  expect(await store.ledger.get(made.waiting.uuid)).toMatchObject({ state: 'queued' })
  expect(await store.verifications.all(), 'are about files of the other node').toEqual([])
  expect(await linesOf(node, made.ended.uuid)).toEqual(['all of it'])
  expect(await linesOf(node, made.running.uuid)).toEqual(RUNNING_LINES)
  expect(await readFile(path.join(state.bootstrapLogs, `${made.bootstrap.uuid}.ndjson`), 'utf8')).toContain('all of it')
  expect((await store.ledger.get(made.running.uuid)).state).toBe('running')
}

import { existsSync } from 'node:fs'
import path from 'node:path'
import { CleanupStack } from '../base/cleanup-stack.js'
import { BadInput, Unavailable } from '../base/errors.js'
import { openBucket } from './build-blob-store.js'
import { buildStore } from './build-store.js'
import { loadCaBundle } from './ca-bundle.js'
import { SharedLogs } from './log/shared-logs.js'
import { LogBucket, LogDirectory } from './migrate/log-places.js'
import { migrate } from './migrate/migration.js'
import { formatBytes, type TextOutput } from './migrate/progress.js'
import { carrySecretsKey } from './migrate/secrets-key.js'
import type { Side } from './migrate/side.js'
import type { Settings } from './settings/settings.js'
import { StateDirectory } from './state-directory.js'
import { DirectoryBlobStore } from './store/directory-blob-store.js'
import { storageError } from './store/storage-errors.js'

export interface NodeMigration {
  /** Of the node that has everything. It does not run. */
  readonly from: Settings
  /** Of the node that gets it. */
  readonly to: Settings
  /** The file that `to` was read from. */
  readonly file: string
  readonly output: TextOutput
  /** Aborted when the user does not want to wait any longer: what is done is not done again by the next run. */
  readonly signal: AbortSignal
}

/** The reason of a signal that ends a migration. */
export function interrupted(): Unavailable {
  return new Unavailable(
    'migration-interrupted',
    'The migration was interrupted, and nothing is lost: run the same command again, and it goes on where it was.',
  )
}

/**
 * Moves all of a node that does not run to the database and the store that other settings name, and says what is to be done next.
 *
 * @returns how many resources it had lost before, which are lost at the new one too
 *
 * Throws `BadInput` (`same-node`, `no-node-here`), what opens the two nodes (`Daemon.open`), what `migrate` throws, and `Conflict`
 * (`secrets-key-differs`).
 */
export async function migrateNode({ from, to, file, output, signal }: NodeMigration): Promise<number> {
  const undo = new CleanupStack()
  try {
    assertTwoNodes(from, to, file)
    const source = await openSide(from, undo)
    const target = await openSide(to, undo)
    if (source.databaseId === target.databaseId) throw sameNode('database', file)
    await carrySecretsKey(
      { given: from.secretsKey, own: source.state.secretsKey },
      { given: to.secretsKey, own: target.state.secretsKey },
    )
    output.write(`Moving ${source.name} to ${target.name}.\n`)
    const { rows, tables, resources, bytes, logs, lost } = await migrate({
      ...{ from: source, to: target, graceMs: from.uploadGraceMs, scrap: target.state.imports },
      ...{ output, signal },
    })
    for (const { why } of lost) output.write(`Not moved: ${why}\n`)
    output.write(
      `Moved and verified: ${rows} rows of ${tables} tables, ${resources} resources (${formatBytes(bytes)}) and ${logs} logs.
${lost.length > 0 ? `This node had lost ${lost.length} resources before: what refers to them is there without them.\n` : ''}Start stagerd with ${file} as its settings now. What was in ${source.name} and in ${from.stateDir} is still there: do not start stagerd with it again, and delete it when you are content with the new node.
`,
    )
    return lost.length
  } catch (error) {
    throw storageError(error, 'move the node')
  } finally {
    await undo.run()
  }
}

function assertTwoNodes(from: Settings, to: Settings, file: string): void {
  if (from.stateDir === to.stateDir) throw sameNode('state directory', file)
  // An empty one would be made otherwise, and moved.
  const needed = from.database.kind === 'sqlite' ? path.join(from.stateDir, 'stagerd.db') : from.stateDir
  if (!existsSync(needed))
    throw new BadInput(
      'no-node-here',
      `There is no ${needed}, so there is nothing to move: name the settings of the node with --config, or its directory with --state-dir.`,
    )
}

function sameNode(what: string, file: string): BadInput {
  return new BadInput(
    'same-node',
    `${file} names the ${what} that this node has: name another one, since nothing of this node is changed.`,
  )
}

/** @param undo gets what closes it, and unlocks its state directory */
async function openSide(
  settings: Settings,
  undo: CleanupStack,
): Promise<Side & { readonly state: StateDirectory; readonly databaseId: string }> {
  const state = await StateDirectory.open(settings.stateDir, undo)
  const { pem: authorities } = await loadCaBundle(settings.caBundle)
  const store = await buildStore({ settings, state, authorities }, undo)
  const databaseId = await store.id()
  const own = new LogDirectory(state.logs, state.imports)
  const side = {
    ...{ name: store.server ?? `SQLite in ${state.path}`, store, state, databaseId },
    bootstrapLogs: new LogDirectory(state.bootstrapLogs, state.imports),
  }
  if (settings.blobs.store === 'directory')
    return { ...side, blobs: await DirectoryBlobStore.open(state.blobs), logs: own }
  const bucket = await openBucket({ settings: settings.blobs, state, authorities, databaseId }, undo)
  const { S3BlobStore } = await import('./store/s3/index.js')
  const shared = new SharedLogs(bucket, { warn: () => undefined })
  // Without the cache of a daemon: each blob passes once.
  const blobs = await S3BlobStore.open(bucket, path.join(state.blobCache, 'new'))
  return { ...side, blobs, logs: new LogBucket(shared, own, state.imports) }
}

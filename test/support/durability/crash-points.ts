import type { ContainerStep } from '../../../isolation/isolation.js'

/** What the daemon writes to, or asks. */
export type Port =
  | 'state directory'
  | 'store'
  | 'ledger'
  | 'blob store'
  | 'log'
  | 'exchange'
  | 'Engine'
  | 'mounts'
  | 'firewall'
  | 'coordinator'

/** A change of a file at which the daemon is killed. */
export interface FilePoint {
  readonly port: Port
  /** `start` on an empty directory, or an operation of `Workload`. */
  readonly asked: string
  /** As `pointOf` names it. */
  readonly point: string
  /** Of the changes with this name, from 1. Default: the one in the middle. */
  readonly nth?: number
  /** What the daemon is about, where the file does not tell. */
  readonly what?: string
}

const WAL = 'state/stagerd.db-wal'
const BLOB = 'state/blobs/sha256/*/*'
const COPY = 'state/imports/*/stagerd.db'

/** A group of points of one port and one operation, in the order of the daemon. */
function points(port: Port, asked: string, ...all: string[]): FilePoint[] {
  return all.map((point) => ({ port, asked, point }))
}

/** Steps within a transaction of SQLite. */
const within = (asked: string, ...all: string[]) => points('store', asked, ...all)

/** Changes of one file. */
const of = (names: string, file: string) => names.split(' ').map((name) => `${name} ${file}`)

/** The name of a new file, which is written, made durable, and gets its final name. */
const written = (file: string) => [
  `create ${file}.new`,
  `write ${file}.new`,
  `fsync ${file}.new`,
  `rename ${file}.new to ${file}`,
]

/** The transactions of a staging. Each is committed by an fsync. */
const COMMITS = ['the package', 'submission', 'admission', 'intent of the launch', 'start of the launch', 'verdict']

/**
 * Every change of a file that the daemon makes, by name, once. What is not in this table, or is and does not happen, fails
 * the test: so it names the durable steps of the daemon, and none is added without a kill at it.
 */
export const FILE_POINTS: readonly FilePoint[] = [
  ...points('state directory', 'start', 'mkdir state', 'create state/lock.db'),
  ...within('start', ...of('create attributes write', 'state/lock.db-journal')),
  ...points('state directory', 'start', ...written('state/node-id'), 'fsync state', ...written('state/secrets.key')),
  ...points('store', 'start', 'create state/stagerd.db', 'write state/stagerd.db', 'fsync state/stagerd.db'),
  ...within('start', ...of('create attributes write fsync', 'state/stagerd.db-journal')),
  ...points('store', 'start', 'unlink state/stagerd.db-journal', `create ${WAL}`, `write ${WAL}`, `fsync ${WAL}`),
  ...within('start', `attributes ${WAL}`, ...of('create attributes truncate write', 'state/stagerd.db-shm')),
  ...points('blob store', 'start', 'mkdir state/blobs', 'mkdir state/blobs/new', 'fsync state/blobs'),
  ...points('blob store', 'start', 'mkdir state/blobs/sha256'),

  ...points('blob store', 'upload', ...of('create write fsync', 'state/blobs/new/*'), 'mkdir state/blobs/sha256/*'),
  ...points('blob store', 'upload', 'fsync state/blobs/sha256', 'attributes state/blobs/new/*'),
  ...points('blob store', 'upload', `rename state/blobs/new/* to ${BLOB}`, 'fsync state/blobs/sha256/*'),
  ...points('blob store', 'create a package', `attributes ${BLOB}`),
  ...points('store', 'create a package', `write ${WAL}`, `fsync ${WAL}`),
  ...points('store', 'change a package', `fsync ${WAL}`),
  ...points('store', 'delete a package', `fsync ${WAL}`),

  ...COMMITS.map((what, index): FilePoint => ({
    port: 'ledger',
    asked: 'stage',
    point: `fsync ${WAL}`,
    nth: index + 1,
    what,
  })),
  ...points('log', 'stage', 'mkdir state/logs', ...of('create truncate write fsync', 'state/logs/*.ndjson')),
  // Of the blob that a later one has superseded.
  ...points('blob store', 'stage', `unlink ${BLOB}`),

  ...points('exchange', 'import', 'mkdir state/imports', ...of('create unlink write', 'state/imports/*')),
  ...points('store', 'import', `fsync ${WAL}`),
  ...points('exchange', 'back up', 'mkdir state/imports/*', ...of('create write fsync unlink', COPY)),
  ...within('back up', ...of('create attributes write fsync unlink', `${COPY}-journal`), 'fsync state/imports/*'),
  // The first time, there is something in it.
  { port: 'exchange', asked: 'back up', point: 'rmdir state/imports/*', nth: 2 },

  ...points('blob store', 'collect garbage', `unlink ${BLOB}`, 'fsync state/blobs/sha256/*'),
  ...points('log', 'collect garbage', 'unlink state/logs/*.ndjson'),
]

/**
 * The steps of a launch, as the port of the isolation names them, and what each has changed on the host. The daemon is
 * killed while it logs that one is over: the log is a file, whose writes are points as those of all others.
 */
export const LAUNCH_POINTS = {
  layers: 'mounts',
  image: 'Engine',
  network: 'Engine',
  listener: 'coordinator',
  firewall: 'firewall',
  create: 'Engine',
  stagerfs: 'mounts',
  start: 'Engine',
  mounts: 'mounts',
  undo: 'Engine',
} as const satisfies Readonly<Record<Exclude<ContainerStep, 'cache'> | 'listener', Port>>

import { spawn, execFileSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chown, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import type { PostgresOptions } from '../../../daemon/store/postgres/database.js'

/** Where the packages of Debian have them: they are not in the PATH, because several versions can be installed. */
const INSTALLED = '/usr/lib/postgresql'

/** Of whom no file is: PostgreSQL does not run as root. The ids of `nobody` and `nogroup` of Debian. */
const NOBODY = { uid: 65_534, gid: 65_534 }

/** Nothing is to survive a crash of a test. */
const SETTINGS = {
  listen_addresses: '',
  fsync: 'off',
  full_page_writes: 'off',
  autovacuum: 'off',
  jit: 'off',
  shared_buffers: '16MB',
  max_connections: '40',
  deadlock_timeout: '100ms',
}

/** A PostgreSQL of the distribution, with a Unix socket and data in a temporary directory. */
export class PostgresServer {
  #schemas = 0

  private constructor(
    readonly directory: string,
    private readonly process: ChildProcess,
  ) {}

  static async start(): Promise<PostgresServer> {
    const programs = await programsOf()
    const directory = await mkdtemp(path.join(tmpdir(), 'stagerd-postgres-'))
    const data = path.join(directory, 'data')
    await mkdir(data, { mode: 0o700 })
    if (isRoot()) for (const one of [directory, data]) await chown(one, NOBODY.uid, NOBODY.gid)
    const initialise = [path.join(programs, 'initdb'), '--pgdata', data, '--username', 'stagerd', '--auth', 'trust']
    // Of a database whose order of text is that of a language, and not that of bytes: the schema has to ask for the latter.
    const order = ['--locale', 'C', '--locale-provider', 'icu', '--icu-locale', 'en-US', '--encoding', 'UTF8']
    const options = [...order, '--no-sync', '--no-instructions']
    execFileSync('setpriv', [...unprivileged(), ...initialise, ...options], { stdio: ['ignore', 'ignore', 'inherit'] })
    const settings = Object.entries({ ...SETTINGS, unix_socket_directories: directory })
    const server = [
      path.join(programs, 'postgres'),
      '-D',
      data,
      ...settings.flatMap(([key, value]) => ['-c', `${key}=${value}`]),
    ]
    // SIGQUIT ends it at once, together with its children, also when the tests are killed.
    const child = spawn('setpriv', ['--pdeathsig', 'QUIT', ...unprivileged(), ...server], { stdio: 'ignore' })
    const started = new PostgresServer(directory, child)
    try {
      await started.#answers()
      return started
    } catch (error) {
      await started.stop()
      throw error
    }
  }

  /** How to connect, to the tables in that schema. */
  connection(schema = 'public'): PostgresOptions {
    return { host: this.directory, user: 'stagerd', database: 'postgres', options: `-c search_path=${schema}` }
  }

  /** Makes an empty schema. */
  async schema(): Promise<PostgresOptions> {
    const name = `test_${++this.#schemas}`
    await this.#query(`CREATE SCHEMA ${name}`)
    return this.connection(name)
  }

  async stop(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const ended = once(this.process, 'exit')
      this.process.kill('SIGQUIT')
      await ended
    }
    await rm(this.directory, { recursive: true, force: true })
  }

  async #answers(): Promise<void> {
    for (let attempt = 0; ; attempt++)
      try {
        await this.#query('SELECT 1')
        return
      } catch (error) {
        if (attempt > 600 || this.process.exitCode !== null) throw error
        await delay(50)
      }
  }

  async #query(text: string): Promise<void> {
    const client = new pg.Client(this.connection())
    await client.connect()
    await client.query(text)
    await client.end()
  }
}

function isRoot(): boolean {
  return process.getuid?.() === 0
}

function unprivileged(): readonly string[] {
  return isRoot() ? [`--reuid=${NOBODY.uid}`, `--regid=${NOBODY.gid}`, '--clear-groups'] : []
}

/** The directory with the programs of the newest version. */
async function programsOf(): Promise<string> {
  const versions = (await readdir(INSTALLED).catch(() => [])).map(Number).toSorted((a, b) => b - a)
  if (versions[0] === undefined)
    throw new Error(`There is no ${INSTALLED}: install the package postgresql, or run ./scripts/test, which does.`)
  return path.join(INSTALLED, String(versions[0]), 'bin')
}

import { spawn, execFileSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { freePort } from '../../support/free-port.js'
import type { CertificateFiles } from '../../support/certificates.js'
import type { PostgresOptions } from '../../../daemon/store/postgres/database.js'

/** Where the packages of Debian have them: they are not in the PATH, because several versions can be installed. */
const INSTALLED = '/usr/lib/postgresql'

/** Of whom no file is: PostgreSQL does not run as root. The ids of `nobody` and `nogroup` of Debian. */
const NOBODY = { uid: 65_534, gid: 65_534 }

/** Nothing is to survive a crash of a test. */
const SETTINGS = {
  listen_addresses: '127.0.0.1',
  fsync: 'off',
  full_page_writes: 'off',
  autovacuum: 'off',
  jit: 'off',
  shared_buffers: '16MB',
  max_connections: '40',
  deadlock_timeout: '100ms',
  track_commit_timestamp: 'on',
}

/**
 * Everybody may use the Unix socket. Over TCP, one role is not let in, and the others need their passwords, but for those on private hosts
 * (test/engine/support/private-host.ts), at whose address it listens only if it is asked to.
 */
const HBA = `local all,replication all trust
host all denied 127.0.0.1/32 reject
host all all 127.0.0.1/32 scram-sha-256
host all all 198.19.128.0/17 trust
`

/** A PostgreSQL of the distribution, with a Unix socket, and data in a temporary directory. */
export class PostgresServer {
  #schemas = 0
  #process: ChildProcess | undefined

  private constructor(
    readonly directory: string,
    /** On 127.0.0.1. */
    readonly port: number,
    private readonly command: readonly string[],
  ) {}

  /** @param more settings that replace those of tests */
  static async start(more: Readonly<Record<string, string>> = {}): Promise<PostgresServer> {
    // Of a database whose order of text is that of a language, and not that of bytes: the schema has to ask for the latter.
    const order = ['--locale', 'C', '--locale-provider', 'icu', '--icu-locale', 'en-US', '--encoding', 'UTF8']
    const options = ['--username', 'stagerd', '--auth', 'trust', ...order, '--no-sync', '--no-instructions']
    return await PostgresServer.#startOn(async (data) => {
      await run('initdb', ['--pgdata', data, ...options])
      await writeFile(path.join(data, 'pg_hba.conf'), HBA)
    }, more)
  }

  /** A standby of `primary`, which follows it until `promote`. */
  static standbyOf({ directory, port }: PostgresServer): Promise<PostgresServer> {
    const from = ['--host', directory, '--port', String(port), '--username', 'stagerd']
    const options = ['--write-recovery-conf', '--checkpoint', 'fast', '--no-sync', '--wal-method', 'stream']
    return PostgresServer.#startOn((data) => run('pg_basebackup', ['--pgdata', data, ...from, ...options]))
  }

  /** @param make puts a database into an empty directory */
  static async #startOn(
    make: (data: string) => Promise<void>,
    more: Readonly<Record<string, string>> = {},
  ): Promise<PostgresServer> {
    const directory = await mkdtemp(path.join(tmpdir(), 'stagerd-postgres-'))
    const data = path.join(directory, 'data')
    await mkdir(data, { mode: 0o700 })
    if (isRoot()) for (const one of [directory, data]) await chown(one, NOBODY.uid, NOBODY.gid)
    await make(data)
    const port = await freePort()
    const settings = Object.entries({ ...SETTINGS, ...more, port: String(port), unix_socket_directories: directory })
    const server = [
      path.join(await programs(), 'postgres'),
      '-D',
      data,
      ...settings.flatMap(([key, value]) => ['-c', `${key}=${value}`]),
    ]
    const started = new PostgresServer(directory, port, [...unprivileged(), ...server])
    try {
      await started.resume()
      return started
    } catch (error) {
      await started.stop()
      throw error
    }
  }

  /** Of the process whose children have its connections. */
  get pid(): number {
    return this.#process?.pid ?? 0
  }

  /** Path of its Unix socket. */
  get socket(): string {
    return path.join(this.directory, `.s.PGSQL.${this.port}`)
  }

  /** Starts it again. */
  async resume(): Promise<void> {
    // SIGQUIT ends it at once, together with its children, also when the tests are killed.
    this.#process = spawn('setpriv', ['--pdeathsig', 'QUIT', ...this.command], { stdio: 'ignore' })
    await this.#answers()
  }

  /** As in a crash: what was committed is there at the next start. */
  async kill(): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGQUIT')
    await ended
  }

  /** Has TLS from then on. */
  async encrypt({ certificate, key }: CertificateFiles): Promise<void> {
    for (const [from, name] of [
      [certificate, 'server.crt'],
      [key, 'server.key'],
    ] as const) {
      const to = path.join(this.directory, 'data', name)
      await copyFile(from, to)
      await chmod(to, 0o600)
      if (isRoot()) await chown(to, NOBODY.uid, NOBODY.gid)
    }
    await this.query('ALTER SYSTEM SET ssl = on', 'SELECT pg_reload_conf()')
  }

  /** A standby takes changes from then on. */
  async promote(): Promise<void> {
    await this.query('SELECT pg_promote()')
  }

  /** How to connect, to the tables in that schema. */
  connection(schema = 'public'): PostgresOptions {
    return {
      host: this.directory,
      port: this.port,
      user: 'stagerd',
      database: 'postgres',
      options: `-c search_path=${schema}`,
    }
  }

  /** Makes an empty schema. */
  async schema(): Promise<PostgresOptions> {
    const name = `test_${++this.#schemas}`
    await this.query(`CREATE SCHEMA ${name}`)
    return this.connection(name)
  }

  async stop(): Promise<void> {
    await this.kill()
    await rm(this.directory, { recursive: true, force: true })
  }

  async #answers(): Promise<void> {
    for (let attempt = 0; ; attempt++)
      try {
        await this.query('SELECT 1')
        return
      } catch (error) {
        if (attempt > 600 || this.#process?.exitCode != null) throw error
        await delay(50)
      }
  }

  /** As the owner of everything, each in a transaction of its own. */
  async query(...texts: readonly string[]): Promise<void> {
    const client = new pg.Client(this.connection())
    await client.connect()
    for (const text of texts) await client.query(text)
    await client.end()
  }
}

function isRoot(): boolean {
  return process.getuid?.() === 0
}

function unprivileged(): readonly string[] {
  return isRoot() ? [`--reuid=${NOBODY.uid}`, `--regid=${NOBODY.gid}`, '--clear-groups'] : []
}

/** Runs a program of PostgreSQL to its end. */
async function run(program: string, values: readonly string[]): Promise<void> {
  const command = [...unprivileged(), path.join(await programs(), program), ...values]
  execFileSync('setpriv', command, { stdio: ['ignore', 'ignore', 'inherit'] })
}

/** The directory with the programs of the newest version. */
async function programs(): Promise<string> {
  const versions = (await readdir(INSTALLED).catch(() => [])).map(Number).toSorted((a, b) => b - a)
  if (versions[0] === undefined)
    throw new Error(`There is no ${INSTALLED}: install the package postgresql, or run ./scripts/test, which does.`)
  return path.join(INSTALLED, String(versions[0]), 'bin')
}

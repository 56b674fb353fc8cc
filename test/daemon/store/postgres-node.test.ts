import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, test, vi } from 'vitest'
import { CleanupStack } from '../../../base/cleanup-stack.js'
import { buildStore } from '../../../daemon/build-store.js'
import { loadSettings } from '../../../daemon/settings/load-settings.js'
import { PostgresStore } from '../../../daemon/store/postgres/store.js'
import { PostgresWakeups } from '../../../daemon/store/postgres/wakeups.js'
import { packageDraft, resource } from '../../contract/samples.js'
import { describeWakeups } from '../../contract/wakeups.js'
import { application, furnish } from '../../docs/support/furnish.js'
import { Authority } from '../../support/certificates.js'
import { DaemonInProcess } from '../../support/daemon-in-process.js'
import { freePort } from '../../support/free-port.js'
import { call } from '../../support/staging-harness.js'
import { until } from '../../support/until.js'
import { PostgresServer } from './postgres-server.js'

/** A node as an operator sets it up: by its settings, over TCP, as a role that owns a database. */
let server: PostgresServer
let directory: string
let flags: Readonly<Record<string, string>>

beforeAll(async () => {
  server = await PostgresServer.start()
  directory = await mkdtemp(path.join(tmpdir(), 'stagerd-settings-'))
  await server.query(
    "CREATE ROLE node LOGIN PASSWORD 'sesame'",
    "CREATE ROLE stranger LOGIN PASSWORD 'sesame'",
    "CREATE ROLE denied LOGIN PASSWORD 'sesame'",
    'CREATE DATABASE node OWNER node TEMPLATE template0',
    'CREATE DATABASE standby OWNER node TEMPLATE template0',
    'ALTER DATABASE standby SET default_transaction_read_only = on',
  )
  await file('password', 'sesame\n')
  await file('wrong', 'open')
  flags = {
    ...{ database: 'postgresql', postgresqlHost: '127.0.0.1', postgresqlPort: String(server.port) },
    ...{ postgresqlDatabase: 'node', postgresqlUser: 'node', postgresqlTls: 'disable' },
    postgresqlPassword: path.join(directory, 'password'),
  }
  return async () => {
    await server.stop()
    await rm(directory, { recursive: true })
  }
}, 120_000)

async function file(name: string, text: string, mode = 0o600): Promise<string> {
  const at = path.join(directory, name)
  await writeFile(at, text)
  await chmod(at, mode)
  return at
}

/** What opening the store with these settings comes to. */
async function opened(changes: Readonly<Record<string, string>> = {}, state = 'nothing'): Promise<void> {
  const sources = { environment: {}, file: 'none', fileIsRequired: false, workingDirectory: directory }
  const settings = await loadSettings({ flags: { ...flags, ...changes }, ...sources })
  const undo = new CleanupStack()
  try {
    const database = path.join(directory, state)
    const store = await buildStore({ settings, state: { database, nodeId: 'n' }, authorities: undefined }, undo)
    await store.ping()
  } finally {
    await undo.run()
  }
}

describe('a PostgreSQL that a node cannot use is named with the way out:', () => {
  const refused = async (changes: Readonly<Record<string, string>>, code: string, says: RegExp) => {
    const error = await opened(changes).then(
      () => undefined,
      (thrown: unknown) => thrown as Error,
    )
    expect(error).toMatchObject({ code, message: expect.stringMatching(says) as string })
    expect(error?.message, 'is one sentence, or two').toMatch(/^[A-Z/][^\n]*\.$/)
    expect(error?.message).not.toContain('sesame')
  }
  const variables = { PGPASSWORD: 'sesame', PGSSLMODE: 'disable', PGUSER: 'node' }
  beforeEach(() => Object.entries(variables).forEach(([name, value]) => vi.stubEnv(name, value)))
  afterEach(() => vi.unstubAllEnvs())

  test.each([
    ['the password is wrong', { postgresqlPassword: 'wrong' }, 'postgresql-refused', /password of the role/],
    ['there is no password', { postgresqlPassword: '' }, 'postgresql-refused', /postgresql-password/],
    [
      'there is no such database',
      { postgresqlDatabase: 'nowhere' },
      'postgresql-refused',
      /"nowhere".*postgresql-database/,
    ],
    ['the role is not let in', { postgresqlUser: 'denied' }, 'postgresql-refused', /pg_hba\.conf/],
    ['the role may make no tables', { postgresqlUser: 'stranger' }, 'postgresql-refused', /owner of the database/],
    ['the server has no TLS', { postgresqlTls: 'verify-full' }, 'postgresql-refused', /ssl = on.*postgresql-tls/],
    ['it takes no changes', { postgresqlDatabase: 'standby' }, 'postgresql-read-only', /standby.*postgresql-host/],
    ['the file of the password is not there', { postgresqlPassword: 'gone' }, 'bad-settings', /cannot be read/],
    [
      'there are more ports than servers',
      { postgresqlPort: '5432,5433' },
      'bad-settings',
      /2 ports in postgresql-port for 1 in postgresql-host: give one/,
    ],
    ['a key has no certificate', { postgresqlKey: 'password' }, 'bad-settings', /postgresql-certificate/],
  ] as const)('%s', async (_, changes, code, says) => {
    await refused(changes, code, says)
  })

  test('variables of the environment lead nowhere else', async () => {
    vi.stubEnv('PGOPTIONS', '-c search_path=nowhere')
    vi.stubEnv('PGREPLICATION', 'database')
    await opened()
  })

  test('nobody answers', async () => {
    await refused(
      { postgresqlPort: String(await freePort()) },
      'database-unreachable',
      /cannot be reached: .*ECONNREFUSED/,
    )
  })

  test('others may read the password', async () => {
    await file('open', 'sesame', 0o640)
    await refused({ postgresqlPassword: 'open' }, 'bad-settings', /give it mode 0600/)
  })

  test('it is something else', async () => {
    const other = createServer((socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(0, '127.0.0.1')
    onTestFinished(() => void other.close())
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    await refused({ postgresqlPort: String(port), postgresqlTls: 'require' }, 'postgresql-refused', /not PostgreSQL/)
  })

  test('the packages of the node are in a database of SQLite', async () => {
    await file('stagerd.db', '')
    await expect(opened({}, 'stagerd.db')).rejects.toMatchObject({ code: 'database-in-directory' })
  })

  test('its certificate is from nobody who is trusted, or for another name', async () => {
    const authority = await Authority.make(directory)
    await server.encrypt(await authority.issue('server'))
    const full = { postgresqlTls: 'verify-full', postgresqlCa: authority.certificate }
    // It reads its configuration again when it comes to it.
    await expect.poll(() => opened(full).then(() => 'opened', String)).toBe('opened')
    await refused({ postgresqlTls: 'verify-full' }, 'postgresql-refused', /not trusted.*postgresql-ca/)
    await refused({ postgresqlTls: 'verify-ca' }, 'postgresql-refused', /not trusted/)
    await opened({ postgresqlTls: 'require' })
    await server.encrypt(await authority.issue('other', { names: 'DNS:db.example.org,IP:127.0.0.2' }))
    const refusal = { code: 'postgresql-refused', message: expect.stringMatching(/127\.0\.0\.1/) as string }
    await expect.poll(() => opened(full).catch((error: unknown) => error)).toMatchObject(refusal)
    await opened({ ...full, postgresqlTls: 'verify-ca' })
  })
})

describeWakeups('the wake-ups of two nodes in PostgreSQL', async () => {
  const nodes = [
    await PostgresWakeups.open(server.connection()),
    await PostgresWakeups.open(server.connection()),
  ] as const
  return { nodes, close: async () => void (await Promise.all(nodes.map((one) => one.close()))) }
})

describe('the wake-ups of a node in PostgreSQL', () => {
  const open = async () => {
    const wakeups = await PostgresWakeups.open(server.connection(), { againMs: 20, proveMs: 50, answerMs: 500 })
    onTestFinished(() => wakeups.close())
    const heard: (string | undefined)[] = []
    wakeups.listen('cancel', (about) => heard.push(about))
    return { wakeups, heard }
  }

  it('say that something may have been missed when the connection was lost, and go on', async () => {
    const { wakeups, heard } = await open()
    const listeners =
      "(query LIKE '%LISTEN%' OR query LIKE '%pg_notify%' OR query = 'SELECT 1') AND pid <> pg_backend_pid()"
    await server.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${listeners}`)
    wakeups.notify('cancel', 'lost, perhaps')
    await expect.poll(() => heard).toContain(undefined)
    wakeups.notify('cancel', 'told')
    await expect.poll(() => heard.at(-1)).toBe('told')
  })

  it('tell nothing any more when they are closed', async () => {
    const { wakeups, heard } = await open()
    const other = await PostgresWakeups.open(server.connection())
    await wakeups.close()
    await wakeups.close()
    wakeups.notify('cancel', 'a')
    other.notify('cancel', 'b')
    await other.close()
    expect(heard).toEqual([])
  })
})

it('packages that one node has restored are seen by another one, whatever it remembers', async () => {
  const schema = await server.schema()
  const nodes = await Promise.all([1, 2].map(() => PostgresStore.open({ ...schema, max: 2 })))
  onTestFinished(async () => void (await Promise.all(nodes.map((one) => one.close()))))
  const [one, two] = [nodes[0]!, nodes[1]!]
  const ready = (name: string) => packageDraft(name, { resource: resource(), state: 'ready' })
  const seen = async () => (await two.packages.listUsable()).map(({ name }) => name)
  const before = await one.packages.create(ready('before'))
  const backup = path.join(directory, 'backup.db')
  await one.backups.copyTo(backup)
  await one.packages.delete(before)
  await one.packages.create(ready('after'))
  expect(await seen()).toEqual(['after'])
  await one.backups.replaceBy(backup, true)
  expect(await seen()).toEqual(['before'])
  await one.packages.create(ready('next'))
  expect(await seen()).toEqual(['before', 'next'])
})

it('two nodes say what each of them runs, what waits for both, and let one of them collect garbage', async () => {
  await server.query('CREATE DATABASE fleet OWNER node TEMPLATE template0')
  const fleet = { ...flags, postgresqlDatabase: 'fleet', secretsKey: await file('key', 'k'.repeat(32)) }
  const [one, two] = [
    await DaemonInProcess.start({ ...fleet, nodeName: 'one', concurrency: '1' }),
    await DaemonInProcess.start({ ...fleet, nodeName: 'two' }),
  ]
  let isClosed = false
  onTestFinished(async () => void (await Promise.all([one.close(), isClosed ? undefined : two.close()])))
  await furnish(one)
  await two.made('node', 'drain')
  let end: () => void = () => undefined
  const ended = new Promise<void>((resolve) => (end = resolve))
  one.isolation.stagers.set('./stage', async ({ url }) => {
    await ended
    await call(url, 'POST /done')
  })
  for (const name of ['shop', 'blog']) {
    await application(one, name)
    await one.made('stage', name, '--detach')
  }
  const stagings = async (node: DaemonInProcess) => (await node.get('/v1/node'))['stagings']
  await expect.poll(() => stagings(one)).toMatchObject({ running: 1, queued: 1, interrupted: 0 })
  expect(await stagings(two)).toMatchObject({ running: 0, queued: 1, interrupted: 0 })
  const [running] = JSON.parse(await two.made('staging', 'list', '--state', 'running', '--json')) as { uuid: string }[]
  expect(await two.made('staging', 'show', running!.uuid)).toContain('\nNode: one (')
  const [queued] = JSON.parse(await two.made('staging', 'list', '--state', 'queued', '--json')) as { uuid: string }[]
  const full = 'Every node that may run it has no free place: one runs 1 of 1.'
  for (const node of [one, two])
    expect(await node.made('staging', 'show', queued!.uuid)).toContain(`\nWaits: ${full}\nBefore it: 0\n`)
  end()

  const schema = await PostgresStore.open({ ...server.connection(), database: 'fleet', max: 1 })
  const { term } = await schema.nodes.get('two')
  const duties = schema.duties(() => ({ number: term!, lost: new AbortController().signal }))
  await duties.run('collect garbage', async () => {
    expect(await one.stagectl(['node', 'gc'])).toMatchObject({ err: expect.stringContaining('Another node') as string })
    isClosed = true
    await two.close()
    expect((await one.stagectl(['node', 'gc'])).code, 'the other one has stopped').toBe(0)
  })
  await schema.close()
}, 60_000)

describe('a node whose packages are in PostgreSQL', () => {
  it('says so while the server is away, and loses nothing of what it has acknowledged', async () => {
    const authority = await Authority.make(directory, 'of-the-daemon')
    await server.encrypt(await authority.issue('for-the-daemon'))
    const secured = { postgresqlTls: 'verify-full', postgresqlCa: authority.certificate }
    await expect.poll(() => opened(secured).then(() => 'opened', String)).toBe('opened')
    const daemon = await DaemonInProcess.start({ ...flags, ...secured })
    onTestFinished(() => daemon.close())
    await furnish(daemon)
    await application(daemon, 'shop')
    let attempts = 0
    let away: () => void = () => undefined
    const gone = new Promise<void>((resolve) => (away = resolve))
    const answers: string[] = []
    daemon.isolation.stagers.set('./stage', async ({ url }) => {
      attempts += 1
      await gone
      answers.push(await call(url, 'POST /done').catch(String))
    })
    await daemon.made('stage', 'shop', '--detach')
    const states = async () =>
      (JSON.parse(await daemon.made('staging', 'list', '--json')) as { state: string }[]).map(({ state }) => state)
    await until('the stager is at work', () => attempts === 1)

    await server.kill()
    expect(await daemon.get('/readyz')).toMatchObject({ status: 503, code: 'database-unreachable' })
    expect(await daemon.get('/v1/packages')).toMatchObject({ status: 503, code: 'database-unreachable' })
    const { out } = await daemon.stagectl(['node', 'doctor'])
    expect(out).toMatch(/database.*PostgreSQL/)
    away()
    await until('the verdict was not acknowledged', () => answers.length > 0)
    expect(answers[0]).not.toBe('OK')

    await server.resume()
    await until('it is ready', async () => (await daemon.get('/readyz')).status === 200)
    await until('the staging has ended', async () => (await states())[0] === 'succeeded')
    expect((await daemon.stagectl(['node', 'doctor'])).out).toMatch(/PostgreSQL 1\d.* answers/)
    await daemon.restart()
    expect(await daemon.made('package', 'list')).toMatch(/shop.*ready/)
    expect(daemon.log.join()).not.toContain('sesame')
  }, 60_000)
})

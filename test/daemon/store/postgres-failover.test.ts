import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { databaseFindings } from '../../../daemon/node/database-findings.js'
import type { PostgresOptions } from '../../../daemon/store/postgres/database.js'
import { firstThat, PostgresServers } from '../../../daemon/store/postgres/servers.js'
import { PostgresStore } from '../../../daemon/store/postgres/store.js'
import { application, furnish } from '../../docs/support/furnish.js'
import { DaemonInProcess } from '../../support/daemon-in-process.js'
import { freePort } from '../../support/free-port.js'
import { call } from '../../support/staging-harness.js'
import { until } from '../../support/until.js'
import { PostgresServer } from './postgres-server.js'

let primary: PostgresServer
let standby: PostgresServer
beforeAll(async () => {
  primary = await PostgresServer.start()
  standby = await PostgresServer.standbyOf(primary)
  return async () => {
    await standby.stop()
    await primary.stop()
  }
}, 120_000)

/** How to reach the first of these, and the others in its place. */
function several(
  schema: PostgresOptions,
  ...servers: readonly Pick<PostgresOptions, 'host' | 'port'>[]
): PostgresOptions {
  const [first, ...others] = servers
  return { ...schema, ...first, others }
}
const placeOf = ({ directory: host, port }: PostgresServer) => ({ host, port })

describe('of several servers of PostgreSQL', () => {
  it('the first that takes changes is used, for transactions and for wake-ups', async () => {
    const schema = await primary.schema()
    const nobody = { host: '127.0.0.1', port: await freePort() }
    const store = await PostgresStore.open(several(schema, nobody, placeOf(standby), placeOf(primary)))
    onTestFinished(() => store.close())
    expect(store.server).toContain(primary.directory)
    await store.id()
    const heard: (string | undefined)[] = []
    store.wakeups.listen('cancel', (about) => heard.push(about))
    store.wakeups.notify('cancel', 'one')
    await expect.poll(() => heard).toEqual(['one'])
  })

  it('none takes changes: one that answers is what is told of', async () => {
    const nobody = { host: '127.0.0.1', port: await freePort() }
    const options = several(primary.connection(), nobody, placeOf(standby))
    await expect(PostgresStore.open(options)).rejects.toMatchObject({ code: 'postgresql-read-only' })
    await expect(PostgresStore.open(several(primary.connection(), nobody, nobody))).rejects.toMatchObject({
      code: 'database-unreachable',
    })
  })

  it('one whose connections are all in use is not left for another', async () => {
    const options = { ...(await primary.schema()), max: 1, connectionTimeoutMillis: 100 }
    const servers = await PostgresServers.of(options, [placeOf(primary), placeOf(standby)])
    const used = await servers.connect()
    await expect(servers.connect()).rejects.toMatchObject({ code: 'database-busy' })
    expect(servers.host).toBe(primary.directory)
    used.release()
    ;(await servers.connect()).release()
    await servers.end()
  })

  it('one that is waited for by several, because it does not answer, is left for another by each', async () => {
    const open = new Set<Socket>()
    const silent = createServer((socket) => open.add(socket)).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as AddressInfo
    const options = { ...(await primary.schema()), max: 1, connectionTimeoutMillis: 200 }
    const servers = await PostgresServers.of(options, [{ host: '127.0.0.1', port }, placeOf(primary)])
    onTestFinished(() => {
      silent.close()
      open.forEach((socket) => socket.destroy())
    })
    await Promise.all([1, 2].map(async () => (await servers.connect()).release()))
    expect(servers.host).toBe(primary.directory)
    await servers.end()
  })

  it('one that has no room is what is told of, and not that others take no changes', async () => {
    const failures = [{ code: '25006' }, { code: '53300' }].map((more) => Object.assign(new Error('no'), more))
    await expect(firstThat(2, 0, (index) => Promise.reject(failures[index]!))).rejects.toBe(failures[1])
  })

  it('the one that was used last is asked first', async () => {
    const asked: number[] = []
    const attempt = (index: number) => {
      asked.push(index)
      return index === 0 ? Promise.resolve('it') : Promise.reject(new Error('no'))
    }
    expect(await firstThat(3, 1, attempt)).toEqual({ index: 0, value: 'it' })
    expect(asked).toEqual([1, 2, 0])
  })

  it('a primary that does not wait for its standbys is told of by node doctor', async () => {
    const store = await PostgresStore.open(several(await primary.schema(), placeOf(primary), placeOf(standby)))
    onTestFinished(() => store.close())
    const found = async () => (await databaseFindings(store, () => Promise.resolve([]))).map(({ verdict }) => verdict)
    expect(await found()).toEqual(['good', 'slow'])
    await primary.query(`ALTER SYSTEM SET synchronous_standby_names = '*'`, 'SELECT pg_reload_conf()')
    await expect.poll(found).toEqual(['good'])
  })
})

// The last one: there is no primary any more that a standby could follow.
it('a daemon goes on when the primary dies and a standby is promoted, and has what was acknowledged', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'stagerd-failover-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const daemon = await DaemonInProcess.start({
    ...{ database: 'postgresql', postgresqlHost: `${primary.directory}, ${standby.directory}` },
    ...{ postgresqlPort: `${primary.port},${standby.port}`, postgresqlDatabase: 'postgres' },
  })
  onTestFinished(() => daemon.close())
  await furnish(daemon)
  await application(daemon, 'shop')
  let launches = 0
  let open: () => void = () => undefined
  const gate = new Promise<void>((resolve) => (open = resolve))
  daemon.isolation.stagers.set('./stage', async ({ url }) => {
    launches += 1
    await gate
    await call(url, 'POST /done').catch(() => undefined)
  })
  await daemon.made('stage', 'shop', '--detach')
  await until('the stager is at work', () => launches === 1)

  await primary.kill()
  const { status, code } = await daemon.get('/readyz')
  expect([status, ['postgresql-read-only', 'database-unreachable'].includes(String(code))]).toEqual([503, true])
  await standby.promote()
  await until('it is ready', async () => (await daemon.get('/readyz')).status === 200)
  open()
  await until('the staging has ended', async () => (await daemon.made('staging', 'list')).includes('succeeded'))
  expect((await daemon.stagectl(['node', 'doctor'])).out).toContain(`on ${standby.directory} answers`)
  expect(await daemon.made('package', 'list')).toMatch(/shop.*ready/)
}, 60_000)

import { nkeys } from '@nats-io/transport-node'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import pino from 'pino'
import { Agent, request } from 'undici'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { NatsBus } from '../../../daemon/cloud-foundry/nats-bus.js'
import { readNatsCredentials } from '../../../daemon/cloud-foundry/nats-credentials.js'
import { Authority, type CertificateFiles } from '../../support/certificates.js'
import { DaemonInProcess } from '../../support/daemon-in-process.js'
import { NatsServer } from '../../support/nats-server.js'
import { until } from '../../support/until.js'
import { decentralised } from './support/decentralised.js'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'stagerd-nats-'))
})
afterAll(() => rm(directory, { recursive: true }))

async function fileOf(name: string, content: string): Promise<string> {
  const file = path.join(directory, name)
  await writeFile(file, content)
  return file
}

async function serverWith(config: string): Promise<NatsServer> {
  const server = await NatsServer.open('--config', await fileOf('server.conf', config))
  onTestFinished(() => server.stop())
  return server
}

/** Undefined if the server takes these credentials; otherwise the error. */
async function refusal({ port }: NatsServer, credentials: string): Promise<string | undefined> {
  const authenticator = await readNatsCredentials(await fileOf('credentials', credentials))
  const logger = pino({ level: 'silent' })
  try {
    const bus = await NatsBus.open({ servers: [`127.0.0.1:${port}`], authenticator, name: 'test', logger })
    await bus.ready().finally(() => bus.close())
    return undefined
  } catch (error) {
    return String(error)
  }
}

const seedOf = (user = nkeys.createUser()) => Buffer.from(user.getSeed()).toString()
const REFUSED = expect.stringMatching(/^Unavailable: NATS cannot be reached: .*Authorization Violation/i) as string

describe('the file of credentials', () => {
  it('has a user and a password', async () => {
    const server = await serverWith('authorization { user: stager, password: "s3:cret" }')
    expect([await refusal(server, 'stager:s3:cret\n'), await refusal(server, 'stager:wrong')]).toEqual([
      undefined,
      REFUSED,
    ])
  })

  it('has a token', async () => {
    const server = await serverWith('authorization { token: "t0ken" }')
    expect([await refusal(server, 't0ken'), await refusal(server, 'other')]).toEqual([undefined, REFUSED])
  })

  it('has the seed of an NKey', async () => {
    const user = nkeys.createUser()
    const server = await serverWith(`authorization { users: [{ nkey: ${user.getPublicKey()} }] }`)
    expect([await refusal(server, seedOf(user)), await refusal(server, seedOf())]).toEqual([undefined, REFUSED])
  })

  it('is a credentials file of NATS', async () => {
    const { config, credentials } = decentralised()
    const other = decentralised()
    const server = await serverWith(config)
    expect([await refusal(server, credentials), await refusal(server, other.credentials)]).toEqual([undefined, REFUSED])
  })

  it.each([
    ['nothing', ''],
    ['two lines', 'user:password\nuser:password'],
    ['a seed with an error', seedOf().replace(/.{4}$/, 'AAAA')],
    ['a credentials file without a seed', '-----BEGIN NATS USER JWT-----\nabc\n------END NATS USER JWT------\n'],
  ])('cannot have %s, and the message repeats none of it', async (_what, content) => {
    const file = await fileOf('bad', content)
    const error: unknown = await readNatsCredentials(file).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'bad-settings', name: 'BadInput' })
    for (const line of content.split('\n').filter((one) => one !== '')) expect(String(error)).not.toContain(line)
  })

  it('has to be there', async () => {
    await expect(readNatsCredentials(path.join(directory, 'none'))).rejects.toMatchObject({ code: 'bad-settings' })
  })
})

describe('with TLS', () => {
  let authority: Authority
  let files: CertificateFiles
  beforeAll(async () => {
    authority = await Authority.make(directory)
    files = await authority.issue('nats')
  })

  const tls = () => `tls { cert_file: "${files.certificate}", key_file: "${files.key}" }`
  const daemonFor = async (server: NatsServer, more: Readonly<Record<string, string>>) => {
    const daemon = await DaemonInProcess.start({ cloudFoundryNats: `tls://127.0.0.1:${server.port}`, ...more })
    onTestFinished(() => daemon.close())
    return daemon
  }

  it('a daemon connects, by an authority of ca-bundle', async () => {
    const daemon = await daemonFor(await serverWith(tls()), { caBundle: authority.certificate })
    await until('it is subscribed', () => daemon.said('Subscribed to staging'))
  })

  it.each([
    ['the authority is unknown', tls, /certificate/],
    ['the server has no TLS', () => '', /TLS/i],
  ])('it says why it cannot, and goes on, when %s', async (_what, config, why) => {
    const daemon = await daemonFor(await serverWith(config()), {})
    await until('it says so', () => daemon.said('cannot connect to NATS'))
    expect(daemon.log.find((entry) => entry.includes('cannot connect to NATS'))).toMatch(why)
    expect(daemon.said('Subscribed')).toBe(false)
    expect((await daemon.get('/healthz')).status).toBe(200)
  })
})

it('a daemon that may not subscribe says what to do in its log, status, metrics and doctor, and subscribes when it may', async () => {
  const config = (permissions: string) =>
    `no_auth_user: all\nauthorization { users: [{ user: all, password: x, permissions: { ${permissions} } }] }\n`
  const server = await serverWith(config('subscribe: "_INBOX.>"'))
  const daemon = await DaemonInProcess.start({ cloudFoundryNats: `nats://127.0.0.1:${server.port}` })
  onTestFinished(() => daemon.close())
  await until('it says so', () => daemon.said('cannot subscribe'))
  const why =
    'NATS does not allow stagerd to subscribe to "staging" in the queue group "staging": give its user the permission to'
  expect(await daemon.made('node', 'status')).toContain(`0 under way, 0 waiting. None come: ${why}.`)
  const doctor = await daemon.stagectl(['node', 'doctor'])
  expect([doctor.code, doctor.out]).toEqual([
    1,
    expect.stringContaining(`bad   staging requests: none can be taken. ${why}\n`),
  ])
  expect(await metric(daemon)).toBe('0')
  // Everything else works.
  expect((await daemon.get('/healthz')).status).toBe(200)
  await fileOf('server.conf', config('subscribe: ">"'))
  server.reload()
  await until('it is subscribed', () => daemon.said('Subscribed to staging'))
  expect(await metric(daemon)).toBe('1')
  expect((await daemon.stagectl(['node', 'doctor'])).out).toContain('good  staging requests: they are taken from NATS')
})

async function metric(daemon: DaemonInProcess): Promise<string | undefined> {
  const agent = new Agent({ connect: { socketPath: daemon.socket } })
  try {
    const { body } = await request('http://stagerd/metrics', { dispatcher: agent })
    return /^stagerd_cloud_foundry_ready (\d)$/m.exec(await body.text())?.[1]
  } finally {
    await agent.close()
  }
}

it('a daemon with a wrong password says so without it, and subscribes as soon as the server takes it', async () => {
  const server = await serverWith('authorization { user: stager, password: "n3w" }')
  const daemon = await DaemonInProcess.start({
    cloudFoundryNats: `nats://127.0.0.1:${server.port}`,
    cloudFoundryCredentials: await fileOf('password', 'stager:0ld'),
  })
  onTestFinished(() => daemon.close())
  await until('it says so', () => daemon.said('Authorization Violation'))
  expect(daemon.log.filter((entry) => /0ld|n3w/.test(entry))).toEqual([])
  await server.stop()
  await fileOf('server.conf', 'authorization { user: stager, password: "0ld" }')
  await server.start()
  await until('it is subscribed', () => daemon.said('Subscribed to staging'))
})

import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest, type RequestOptions } from 'node:https'
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Authority, type CertificateFiles } from '../support/certificates.js'
import { DaemonInProcess } from '../support/daemon-in-process.js'
import { freePort } from '../support/free-port.js'
import { openInProcess, untilNothingMoreIsOpen } from '../support/open-in-process.js'
import { call } from '../support/staging-harness.js'
import { application, furnish } from '../docs/support/furnish.js'
import { PostgresServer } from './store/postgres-server.js'

/** Two daemons that share a database. `far` runs what is staged; `near` is the one that is asked. */
let server: PostgresServer
let directory: string
let authority: Authority
let near: DaemonInProcess
let far: DaemonInProcess
let staging: string
const ports = { near: 0, far: 0, control: 0 }

const NODE = { usages: 'serverAuth,clientAuth' }

beforeAll(async () => {
  server = await PostgresServer.start()
  directory = await mkdtemp(path.join(tmpdir(), 'stagerd-one-way-'))
  authority = await Authority.make(directory)
  await server.query('CREATE DATABASE fleet TEMPLATE template0')
  const secretsKey = path.join(directory, 'secrets.key')
  await writeFile(secretsKey, 'k'.repeat(32), { mode: 0o600 })
  const shared = {
    ...{ database: 'postgresql', postgresqlHost: server.directory, postgresqlPort: String(server.port) },
    ...{ postgresqlDatabase: 'fleet', postgresqlTls: 'disable', secretsKey },
  }
  for (const name of ['near', 'far', 'control'] as const) ports[name] = await freePort()
  const node = async (name: 'near' | 'far') => {
    const { certificate, key } = await authority.issue(name, NODE)
    return DaemonInProcess.start({
      ...shared,
      ...{ nodeName: name, nodeAddress: `127.0.0.1:${ports[name]}`, nodeCertificate: certificate, nodeKey: key },
      nodeAuthority: authority.certificate,
      ...(name === 'far' ? {} : await control()),
    })
  }
  const control = async () => {
    const { certificate, key } = await authority.issue('control')
    return { controlAddress: `127.0.0.1:${ports.control}`, tlsCertificate: certificate, tlsKey: key }
  }
  near = await node('near')
  far = await node('far')
  await near.made('node', 'drain')
  await furnish(far, async ({ url, writeFile: write, exit }) => {
    write('/tmp/why', 'because\n')
    await call(url, 'POST /failed')
    exit(1)
  })
  await application(far, 'shop')
  staging = await failed()
}, 120_000)

afterAll(async () => {
  await Promise.all([near.close(), far.close()])
  await server.stop()
  await rm(directory, { recursive: true })
})

/** Stages at `far`, which keeps the container. Returns the UUID of the staging. */
async function failed(): Promise<string> {
  expect((await far.stagectl(['stage', 'shop', '--keep-failed', '15m'])).code).toBe(10)
  const [newest] = JSON.parse(await far.made('staging', 'list', '--json')) as { uuid: string }[]
  return newest!.uuid
}

const shell = (...command: string[]) => near.stagectl(['staging', 'shell', staging, '--', ...command])

const audited = ({ log }: DaemonInProcess, operation: string) =>
  log.flatMap((line) => {
    const { audit } = JSON.parse(line) as { audit?: { operation: string } }
    return audit?.operation === operation ? [audit] : []
  })

describe('a staging whose container another node keeps', () => {
  it('is reached through any node, and the one that does it says for whom, and through which', async () => {
    const { code, out, err } = await shell('cat', '/tmp/why')
    expect([code, out, err]).toEqual([0, 'because\n', ''])
    expect((await shell('exit', '7')).code).toBe(7)
    expect(audited(far, 'openShell')).toContainEqual(
      expect.objectContaining({ by: 'socket', outcome: 'accepted', through: await uuidOf('near') }),
    )
    expect(audited(near, 'openShell')).toEqual([])
  })

  it('has input passed on as it comes, and sizes', async () => {
    const { request, answer } = post(`/v1/stagings/${staging}/shells`, {
      terminal: { type: 'xterm', columns: 80, rows: 24 },
    })
    request.end()
    const events = lines(await answer)
    const { shell: id } = (await events.next()).value as { shell: string }
    const input = post(`/v1/stagings/${staging}/shells/${id}/input`)
    input.request.write('stty\n')
    expect(await printed(events)).toBe('24 80\r\n')
    const sized = post(`/v1/stagings/${staging}/shells/${id}/size`, { columns: 100, rows: 50 }, 'PUT')
    sized.request.end()
    expect((await sized.answer).statusCode).toBe(204)
    input.request.write('stty\n')
    expect(await printed(events)).toBe('50 100\r\n')
    input.request.end('exit 3\n')
    expect((await input.answer).statusCode).toBe(204)
    expect((await events.next()).value).toEqual({ event: 'ended', exit_code: 3 })
    expect((await events.next()).done).toBe(true)
  })

  it('is judged by what the token of the caller may do, at both nodes', async () => {
    const token = async (...scope: string[]) =>
      (await near.made('token', 'create', `of-${scope.join('').replaceAll(/\W/g, '')}`, ...scope)).match(
        /stagerd_\S{43}/,
      )?.[0] ?? ''
    const at = (secret: string, headers = {}) =>
      controlAsk('POST', `/v1/stagings/${staging}/release`, { authorization: `Bearer ${secret}`, ...headers })
    const other = await token('--write', '--scope', '/other')
    expect(await at(other)).toMatchObject({ status: 404, code: 'staging-not-found' })
    // What only nodes may say is not heard from others.
    expect(await at(other, { 'stagerd-caller': 'socket' })).toMatchObject({ code: 'staging-not-found' })
    expect(await at(await token('--scope', '/'))).toMatchObject({ status: 403, code: 'token-read-only' })
    const caller = { 'stagerd-caller': 'socket', 'stagerd-to': await uuidOf('near'), 'stagerd-through': 'x' }
    expect(await controlAsk('POST', `/v1/stagings/${staging}/release`, caller)).toMatchObject({ code: 'token-missing' })
    expect(audited(far, 'releaseStaging')).toEqual([])
    expect(await at(await token('--write', '--scope', '/'))).toMatchObject({ status: 204 })
    expect(audited(far, 'releaseStaging')).toEqual([
      expect.objectContaining({ by: 'token', token: 'of-writescope', from: '127.0.0.1', outcome: 'done' }),
    ])
    expect(await shell('id')).toMatchObject({ code: 4, err: expect.stringContaining('No container') as string })
    staging = await failed()
  })

  it('leaves nothing open, however its clients go', async () => {
    await shell('id')
    const before = await openInProcess()
    for (let round = 0; round < 10; round++) {
      const { request, answer } = post(`/v1/stagings/${staging}/shells`, { command: ['sleep', '60'] })
      request.end()
      const events = lines(await answer)
      await events.next()
      request.destroy()
      await events.return(undefined)
    }
    await untilNothingMoreIsOpen(before, openInProcess)
    await expect.poll(async () => (await far.get(`/v1/stagings/${staging}`))['kept']).toMatchObject({ shells: 0 })
  })
})

describe('the address for other nodes', () => {
  const url = '/v1/node'
  const node = async (files: CertificateFiles, headers: Record<string, string> = {}) =>
    ask({ port: ports.far, method: 'GET', path: url, ...pem(files), headers })

  it('answers a node that passes a request on, and no other', async () => {
    const to = { 'stagerd-to': await uuidOf('far'), 'stagerd-through': await uuidOf('near') }
    const own = await authority.issue('own', NODE)
    expect(await node(own, { ...to, 'stagerd-caller': 'socket' })).toMatchObject({ status: 200 })
    expect(await node(own, to)).toMatchObject({ status: 401, code: 'caller-missing' })
    expect(await node(own, { ...to, 'stagerd-caller': 'no-token' })).toMatchObject({ code: 'token-invalid' })
    const astray = { ...to, 'stagerd-to': await uuidOf('near'), 'stagerd-caller': 'socket' }
    expect(await node(own, astray)).toMatchObject({ status: 409, code: 'misdirected' })
    const [token] = JSON.parse(await near.made('token', 'list', '--json')) as { uuid: string }[]
    const headers = { ...astray, 'stagerd-caller': token!.uuid }
    const told = await ask({ port: ports.far, path: '/openapi.json', ...pem(own), headers })
    expect(told).toMatchObject({
      code: 'misdirected',
      detail: expect.not.stringContaining(await uuidOf('far')) as string,
    })
  })

  const strangers: readonly (readonly [string, () => Promise<CertificateFiles | undefined>])[] = [
    ['without a certificate', () => Promise.resolve(undefined)],
    ['with one of another authority', async () => (await Authority.make(directory, 'other')).issue('stranger', NODE)],
    ['with one that has expired', () => authority.issue('expired', { ...NODE, days: -1 })],
    ['with one that is no certificate of a client', () => authority.issue('a-server', { usages: 'serverAuth' })],
    ['with one that does not say what it is for', () => authority.issue('anything')],
  ]
  it.each(strangers)('has nothing to say to a client %s', async (_, issue) => {
    const files = await issue()
    const headers = { 'stagerd-caller': 'socket', 'stagerd-to': await uuidOf('far'), 'stagerd-through': 'x' }
    const asked = ask({ port: ports.far, method: 'GET', path: url, headers, ...(files ? pem(files) : {}) })
    await expect(asked).rejects.toThrow(/socket hang up|ECONNRESET|alert|EPIPE/i)
  })

  it('has nothing to say without TLS', async () => {
    const request = httpRequest({ host: '127.0.0.1', port: ports.far, path: url }).end()
    const [error] = (await once(request, 'error')) as [Error]
    expect(error.message).toMatch(/socket hang up|ECONNRESET/)
  })
})

it('certificates that were renewed are taken at a reload, and those that others would refuse are not', async () => {
  await authority.issue('near', NODE)
  await near.reload()
  expect(near.said('the certificate of the node address was read again')).toBe(true)
  expect((await shell('exit', '4')).code).toBe(4)
  await authority.issue('near', { ...NODE, names: 'DNS:elsewhere' })
  await near.reload()
  expect(near.said('the certificate of the node address cannot be used: the old one stays')).toBe(true)
  expect((await shell('exit', '5')).code).toBe(5)
})

it('a node can be asked for the state of another, by name', async () => {
  const { out } = await near.stagectl(['node', 'status', '--node', 'far', '--json'])
  expect(JSON.parse(out)).toMatchObject({ node: await uuidOf('far'), kept: [{ staging }] })
  expect(JSON.parse(await near.made('node', 'status', '--json'))).toMatchObject({
    node: await uuidOf('near'),
    kept: [],
  })
  expect((await near.stagectl(['node', 'status', '--node', 'none'])).err).toContain('There is no node none')
})

it('a body where none is expected is no matter, as with the node that answers itself', async () => {
  const cleared = async (url: string) => {
    const headers = { 'content-type': 'application/json', 'content-length': 2 }
    const request = httpRequest({ socketPath: near.socket, method: 'DELETE', path: url, headers }).end('{}')
    const [answer] = (await once(request, 'response')) as [IncomingMessage]
    return [answer.statusCode, await text(answer)]
  }
  expect(await cleared('/v1/stager-caches')).toEqual([200, '[]'])
  expect(await cleared('/v1/stager-caches?node=far')).toEqual([200, '[]'])
})

it('what only another node can answer is refused with its name when that is away, or not connected', async () => {
  const secret =
    (await near.made('token', 'create', 'of-a-team', '--write', '--scope', '/')).match(/stagerd_\S{43}/)?.[0] ?? ''
  const asTeam = async () =>
    await controlAsk('POST', '/v1/runs/none/stop?node=far', { authorization: `Bearer ${secret}` })
  const hidden = new RegExp(`127\\.0\\.0\\.1|${await uuidOf('far')}|${await uuidOf('near')}`)
  await far.stop()
  const refused = await asTeam()
  expect(refused).toMatchObject({ status: 503, code: 'node-unreachable' })
  expect(JSON.stringify(refused), 'who is no administrator').not.toMatch(hidden)
  const away = await shell('id')
  expect(away.code).toBe(1)
  expect(away.err).toMatch(
    /Only the node far can answer this, and it does not answer at 127\.0\.0\.1:\d+ \(the host refuses the connection\); it was last seen at 20.*Z: try again when it is back\./,
  )
  await near.stop()
  const { nodeAddress, nodeCertificate, nodeKey, nodeAuthority, ...rest } = near.flags
  expect([nodeAddress, nodeCertificate, nodeKey, nodeAuthority]).not.toContain(undefined)
  near.flags = rest
  await near.start()
  expect(JSON.stringify(await asTeam())).not.toMatch(hidden)
  const alone = await shell('id')
  expect(alone).toMatchObject({ code: 4, err: expect.stringContaining('This node has no node-address') as string })
})

async function uuidOf(name: string): Promise<string> {
  const nodes = JSON.parse(await far.made('node', 'list', '--json')) as { uuid: string; name: string }[]
  return nodes.find((one) => one.name === name)!.uuid
}

/** Over the control socket of `near`. */
function post(url: string, document?: object, method = 'POST') {
  const type = document === undefined ? 'application/octet-stream' : 'application/json'
  const request = httpRequest({
    ...{ socketPath: near.socket, method, path: url, headers: { 'content-type': type } },
  })
  if (document) request.write(JSON.stringify(document))
  const answer = new Promise<IncomingMessage>((resolve, reject) => request.on('response', resolve).on('error', reject))
  answer.catch(() => undefined)
  return { request, answer }
}

async function* lines(answer: IncomingMessage): AsyncGenerator {
  let rest = ''
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      const parts = (rest + chunk.toString()).split('\n')
      rest = parts.pop() ?? ''
      for (const part of parts) yield JSON.parse(part)
    }
  } catch {
    // The test has ended the connection.
  }
}

async function printed(events: AsyncGenerator): Promise<string> {
  const { data } = (await events.next()).value as { data: string }
  return Buffer.from(data, 'base64').toString()
}

const pem = ({ certificate, key }: CertificateFiles) => ({ cert: readFileSync(certificate), key: readFileSync(key) })

const controlAsk = (method: string, url: string, headers: Record<string, string>) =>
  ask({ port: ports.control, method, path: url, headers })

async function ask(options: RequestOptions): Promise<Record<string, unknown>> {
  const ca = readFileSync(authority.certificate)
  const request = httpsRequest({ host: '127.0.0.1', agent: false, ca, ...options }).end()
  const answer = await new Promise<IncomingMessage>((resolve, reject) =>
    request.on('response', resolve).on('error', reject),
  )
  const body = await text(answer)
  return { ...(body === '' ? {} : (JSON.parse(body) as object)), status: answer.statusCode }
}

import { once } from 'node:events'
import { copyFile, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect } from 'vitest'
import { transportError } from '../../../cli/api/daemon-unreachable.js'
import { nameOfGroup } from '../../../daemon/host-groups.js'
import { StagerdDatabase } from '../../../daemon/store/sqlite/database.js'
import { MIGRATIONS } from '../../../daemon/store/sqlite/migrations.js'
import { atTestEnd } from '../../support/at-test-end.js'
import { Authority, type CertificateFiles } from '../../support/certificates.js'
import { DaemonInProcess } from '../../support/daemon-in-process.js'
import { freePort } from '../../support/free-port.js'
import { WebhookReceiver } from '../../support/webhook-receiver.js'
import { application, furnish } from './furnish.js'

async function open(flags: Readonly<Record<string, string>> = {}): Promise<DaemonInProcess> {
  const node = await DaemonInProcess.start(flags)
  atTestEnd(() => node.close())
  return node
}

/** A node with packages and a stager. */
async function furnished(): Promise<DaemonInProcess> {
  const node = await open()
  await furnish(node)
  return node
}

/** With a control address, whose certificate is this one. */
async function openRemote(files: (authority: Authority) => Promise<CertificateFiles>) {
  const node = await open()
  const authority = await Authority.make(node.directory)
  const { certificate: tlsCertificate, key: tlsKey } = await files(authority)
  const port = await freePort()
  node.flags = { controlAddress: `127.0.0.1:${port}`, tlsCertificate, tlsKey }
  await node.restart()
  const token = (await node.made('token', 'create', 'first', '--administrator')).trim()
  /** `package list` from another host. */
  const list = (env: Readonly<Record<string, string>> = { STAGERD_TOKEN: token }) =>
    node.stagectl(['--address', `https://localhost:${port}`, '--ca', authority.certificate, 'package', 'list'], { env })
  return { node, authority, tlsCertificate, tlsKey, list }
}

const blobsOf = async (node: DaemonInProcess) =>
  (await readdir(path.join(node.stateDirectory, 'blobs'), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && /^[0-9a-f]{64}$/.test(entry.name))
    .map((entry) => path.join(entry.parentPath, entry.name))

const namesOf = (node: DaemonInProcess) => node.made('package', 'list', '--json')

/** Symptoms of "Trouble, by symptom", each with what provokes it and does what the guide says. */
export const OF_THE_NODE: Readonly<Record<string, () => Promise<void>>> = {
  '`stagectl` says "No stagerd answers at /run/stagerd/stagerd.sock" (exit code 3)': async () => {
    const node = await open()
    await node.stop()
    expect(await node.stagectl(['node', 'status'])).toMatchObject({
      code: 3,
      err: expect.stringContaining(`No stagerd answers at ${node.socket}`) as string,
    })
    await node.start()
    await node.made('node', 'status')
  },

  // Root is refused nothing, so this is what the system tells another user. Who may use the socket: control-socket.test.ts.
  '`stagectl` says "You have no permission to open /run/stagerd/stagerd.sock"': () => {
    const refused = Object.assign(new Error('connect EACCES'), { code: 'EACCES', syscall: 'connect' })
    expect(transportError(refused, { kind: 'socket', path: '/run/stagerd/stagerd.sock' })).toMatchObject({
      message: 'You have no permission to open /run/stagerd/stagerd.sock: join the group stagerd, or use sudo.',
    })
    return Promise.resolve()
  },

  '"there is no group stagerd on this host" in the log and in `node doctor`': async () => {
    const node = await open({ group: 'a-group-that-no-host-has' })
    const words = 'there is no group a-group-that-no-host-has on this host'
    expect(node.said(words)).toBe(true)
    expect(await node.made('node', 'doctor')).toContain(words)
    node.flags = { group: await nameOfGroup(process.getgid?.() ?? 0) }
    await node.restart()
    expect(await node.made('node', 'doctor')).not.toContain('there is no group')
  },

  'the daemon exits with 2': async () => {
    const node = await open()
    await node.stop()
    const file = path.join(node.directory, 'stagerd.toml')
    await writeFile(file, '\nconcurrency = "many"\n')
    await expect(node.start()).rejects.toMatchObject({
      kind: 'bad-input',
      message: expect.stringMatching(/line 2 of .*stagerd\.toml.*"many" is not a whole number/) as string,
    })
    await writeFile(file, '\nconcurrency = 2\n')
    await node.start()

    await node.made('node', 'backup', 'node.tar')
    await node.stop()
    const newer = [...MIGRATIONS, { version: 9999, name: 'future', sql: 'CREATE TABLE future (a)' }]
    StagerdDatabase.open(path.join(node.stateDirectory, 'stagerd.db'), { migrations: newer }).close()
    await expect(node.start()).rejects.toMatchObject({ kind: 'bad-input', code: 'database-too-new' })
    await rename(node.stateDirectory, `${node.stateDirectory}.new`)
    await node.start()
    await node.made('node', 'restore', 'node.tar')
  },

  '"Another stagerd uses the state directory"': async () => {
    const node = await open()
    const other = await open()
    await other.stop()
    other.flags = { stateDir: node.stateDirectory }
    await expect(other.start()).rejects.toThrow(`Another stagerd uses the state directory ${node.stateDirectory}`)
    await node.stop()
    await other.start()
    await other.stop()
  },

  'a package is `blob-corrupt`': async () => {
    const node = await furnished()
    await node.made('package', 'from-file', 'any.tar.gz', 'copy')
    const files = await blobsOf(node)
    const content = await readFile(path.join(node.directory, 'any.tar.gz'))
    for (const file of files)
      if ((await readFile(file)).equals(content)) await writeFile(file, Buffer.alloc(content.length))
    const download = () => node.stagectl(['package', 'download', 'copy', '--file', '-'])
    expect((await download()).err).toContain('damaged')
    await node.restart()
    expect((await download()).code).toBe(1)
    await node.made('package', 'from-file', 'any.tar.gz', 'again')
    expect((await download()).code).toBe(0)
  },

  'stagerd does not start: "The database /var/lib/stagerd/stagerd.db is damaged"': async () => {
    const node = await furnished()
    await node.made('node', 'backup', 'node.tar')
    const before = await namesOf(node)
    await node.stop()
    await rm(path.join(node.stateDirectory, 'stagerd.db-wal'), { force: true })
    await writeFile(path.join(node.stateDirectory, 'stagerd.db'), Buffer.alloc(8192, 1))
    await expect(node.start()).rejects.toMatchObject({
      code: 'database-damaged',
      message: expect.stringMatching(/^The database .*stagerd\.db is damaged: put its directory aside/) as string,
    })
    await rename(node.stateDirectory, `${node.stateDirectory}.damaged`)
    await node.start()
    await node.made('node', 'restore', 'node.tar')
    expect(await namesOf(node)).toBe(before)
  },

  '`node backup` exits with 1': async () => {
    const node = await furnished()
    for (const file of await blobsOf(node)) await rm(file)
    const lost = await node.stagectl(['node', 'backup', 'node.tar'])
    expect([lost.code, lost.err]).toEqual([1, expect.stringContaining('The backup lacks the data')])
    await furnish(node).catch(() => undefined)
    await node.made('package', 'from-file', 'any.tar.gz', 'another')
    const rest = await node.stagectl(['node', 'backup', 'node.tar'])
    expect(rest.err.split('\n').length).toBeLessThan(lost.err.split('\n').length)
  },

  '`node restore` says "A backup takes the place of all that a node has"': async () => {
    const node = await furnished()
    await node.made('node', 'backup', 'node.tar')
    const refused = await node.stagectl(['node', 'restore', 'node.tar'])
    expect([refused.code, refused.err]).toEqual([
      4,
      expect.stringContaining('A backup takes the place of all that a node has'),
    ])
    await node.made('node', 'restore', 'node.tar', '--replace')
  },

  '`node restore` says "A staging or a bootstrap is under way"': async () => {
    const node = await open()
    await furnish(node, ({ signal }) => once(signal, 'abort').then(() => undefined))
    await node.made('node', 'backup', 'node.tar')
    await application(node, 'shop')
    await node.made('stage', 'shop', '--detach')
    const newest = async () =>
      (JSON.parse(await node.made('staging', 'list', '--json')) as { uuid: string; state: string }[])[0]
    await expect.poll(newest).toMatchObject({ state: 'running' })
    const restore = () => node.stagectl(['node', 'restore', 'node.tar', '--replace'])
    expect((await restore()).err).toContain('A staging or a bootstrap is under way')
    await node.made('staging', 'cancel', (await newest())!.uuid)
    await expect.poll(newest).toMatchObject({ state: 'cancelled' })
    expect((await restore()).code).toBe(0)
  },

  'a token is refused, and no administrator has another': async () => {
    const { node, list } = await openRemote((authority) => authority.issue('host'))
    expect((await list()).code).toBe(0)
    await node.made('token', 'revoke', 'first')
    expect(await list()).toMatchObject({ code: 5, err: expect.stringContaining('does not know the token') as string })
    const token = (await node.made('token', 'create', 'ops', '--administrator')).trim()
    expect((await list({ STAGERD_TOKEN: token })).code).toBe(0)
  },

  '"The certificate of https://… has expired"': async () => {
    const { node, authority, tlsCertificate, tlsKey, list } = await openRemote((made) =>
      made.issue('old', { days: -1 }),
    )
    expect((await list()).err).toMatch(/The certificate of https:\/\/localhost:\d+ has expired/)
    const renewed = await authority.issue('new')
    await copyFile(renewed.certificate, tlsCertificate)
    await copyFile(renewed.key, tlsKey)
    await node.reload()
    expect((await list()).code).toBe(0)
  },

  'no webhook arrives': async () => {
    const node = await open({ webhookNetworks: '127.0.0.0/8' })
    const receiver = await WebhookReceiver.open((response) => response.writeHead(410).end())
    await node.made('webhook', 'add', receiver.url)
    expect((await node.stagectl(['webhook', 'test', receiver.url])).code).not.toBe(0)
    expect((await node.stagectl(['webhook', 'test', receiver.url])).code).toBe(0)
    await furnish(node)
    await application(node, 'shop')
    receiver.answers.push((response) => response.writeHead(404).end())
    await node.made('stage', 'shop')
    await expect.poll(() => node.made('webhook', 'list')).toContain('404')
  },
}

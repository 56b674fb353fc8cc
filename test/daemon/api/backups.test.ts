import { randomBytes, randomUUID } from 'node:crypto'
import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { Deferred } from '../../../base/deferred.js'
import type { RestoreReport } from '../../../daemon/documents/backup.js'
import type { Package } from '../../../daemon/documents/package.js'
import { stagerSnapshot } from '../../contract/samples.js'
import { AccessClient } from './access-requests.js'
import { bytesOf, documentOf } from './api-client.js'
import { ApiUnderTest } from './api-under-test.js'
import { nodeLedgerOf } from '../../support/fleet/node-ledger.js'

let here: ApiUnderTest
let there: ApiUnderTest
let client: AccessClient
beforeEach(async () => {
  here = await ApiUnderTest.open()
  there = await ApiUnderTest.open()
  client = await AccessClient.open(here)
})
afterEach(async () => {
  await here.close()
  await there.close()
})

const backup = async (under = here): Promise<Buffer> => {
  const { request, answer } = await under.connect('POST', '/v1/node/backup')
  request.end()
  const response = await answer
  expect(response.statusCode).toBe(200)
  return bytesOf(response)
}

const restore = async (file: Buffer, query = '', under = there) => {
  const { request, answer } = await under.connect('POST', `/v1/node/restore${query}`, {
    'content-type': 'application/x-tar',
  })
  request.end(file)
  const response = await answer
  return { status: response.statusCode, document: await documentOf(response) }
}

const put = async (name: string, content: Buffer, under = here) => {
  const resource = await under.upload(content)
  const answer = await under.ask<Package>('POST', '/v1/packages', {
    namespace: '/acme',
    name,
    resource,
    state: 'ready',
  })
  expect(answer.status).toBe(201)
  return answer.document
}

/** What the control API shows of a node. */
const shown = async (under: ApiUnderTest) => {
  const urls = ['packages', 'stagers', 'stagingpipelines', 'policies', 'stagings', 'tokens', 'bootstraps']
  return Promise.all(urls.map(async (url) => (await under.ask('GET', `/v1/${url}`)).document))
}

const leftOf = async ({ directory }: ApiUnderTest) =>
  (await Promise.all(['blobs', 'logs', 'imports'].map((one) => filesBelow(join(directory.path, one))))).flat()

async function filesBelow(directory: string): Promise<string[]> {
  const found = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => [])
  return found.filter((one) => one.isFile()).map(({ name }) => name)
}

describe('a backup', () => {
  it('of an older stagerd, with secrets of webhooks as they are, is restored with sealed ones', async () => {
    const [uuid, secret] = [randomUUID(), 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw']
    const webhook = { uuid, url: 'https://example.org/', namespace: '/', createdAt: '2026-01-01T00:00:00Z' }
    await here.store.webhooks.create({ ...webhook, on: ['failed'], sealed: secret })
    expect((await restore(await backup())).status).toBe(200)
    const { sealed } = await there.store.webhooks.target(uuid)
    expect(sealed).not.toContain('whsec_')
    expect(sealed.length).toBeGreaterThan(secret.length)
  })

  it('restores on another node everything that was acknowledged, byte for byte', async () => {
    const content = randomBytes(2_000_000)
    const { uuid } = await put('large', content)
    await client.policy()
    await client.token()
    const staging = await client.endedStaging()
    const unused = randomBytes(1000)
    const digest = await here.upload(unused)
    const log = await here.stagingLogs.write(staging)
    await log.message('a line')
    await log.close()

    const { status, document } = await restore(await backup())
    expect({ status, document }).toMatchObject({ status: 200, document: { node: 'node', left_out: [], unfinished: 0 } })
    expect(await shown(there)).toEqual(await shown(here))
    const { request, answer } = await there.connect('GET', `/v1/packages/${uuid}/data`)
    request.end()
    expect((await bytesOf(await answer)).equals(content)).toBe(true)
    expect((await there.ask('GET', `/v1/resources/${digest}`)).status).toBe(200)
    expect(await filesBelow(join(there.directory.path, 'logs'))).toEqual([`${staging}.ndjson`])
  })

  it('keeps all of itself on another node where what follows from it fails', async () => {
    const content = randomBytes(1000)
    const { uuid } = await put('app', content)
    const staging = await client.endedStaging()
    await (await here.stagingLogs.write(staging)).close()
    const failure = Object.assign(new Error('EIO: i/o error'), { code: 'EIO' })
    vi.spyOn(there.store.webhooks, 'sealAll').mockRejectedValueOnce(failure)
    const file = await backup()
    const { status, document } = await restore(file)
    expect({ status, document }).toMatchObject({ status: 503, document: { code: 'restore-incomplete' } })
    expect(document).toHaveProperty(
      'detail',
      'The node has the content of the backup now, but what follows from that has failed (EIO: i/o error): restore the backup again with --replace when the cause is gone.',
    )
    expect(await shown(there)).toEqual(await shown(here))
    const { request, answer } = await there.connect('GET', `/v1/packages/${uuid}/data`)
    request.end()
    expect((await bytesOf(await answer)).equals(content)).toBe(true)
    expect(await filesBelow(join(there.directory.path, 'logs'))).toEqual([`${staging}.ndjson`])
    expect((await restore(file, '?replace=true')).status).toBe(200)
    expect(await shown(there)).toEqual(await shown(here))
  })

  it('has a staging that awaits its source cancelled, because only its own node has the task that brings it', async () => {
    const { uuid: packageUuid } = await put('awaited', randomBytes(500))
    const stagers = [stagerSnapshot('s')]
    const { uuid } = await here.store.ledger.submit({ packageUuid, pipelineFqn: 'p', stagers, awaitsSource: true })
    const { uuid: other } = await put('queued', randomBytes(500))
    const queued = await here.store.ledger.submit({ packageUuid: other, pipelineFqn: 'p', stagers })
    expect((await restore(await backup())).status).toBe(200)
    expect(await there.store.ledger.get(uuid)).toMatchObject({ state: 'cancelled', awaitsSource: true })
    expect((await there.store.packages.get({ uuid: packageUuid })).state).toBe('ready')
    expect(await there.store.ledger.get(queued.uuid)).toMatchObject({ state: 'queued' })
    expect(await here.store.ledger.get(uuid)).toMatchObject({ state: 'queued' })
  })

  it('is an archive that tar unpacks and sha256sum checks, with the names of a state directory', async () => {
    const { resource } = await put('one', randomBytes(1000))
    const directory = await mkdtemp(join(tmpdir(), 'stagerd-test-'))
    onTestFinished(() => rm(directory, { recursive: true }))
    await writeFile(join(directory, 'backup.tar'), await backup())
    const run = (command: string, ...args: string[]) => execa(command, args, { cwd: directory, reject: false })
    expect(await run('tar', '-xf', 'backup.tar')).toMatchObject({ exitCode: 0, stderr: '' })
    expect(await run('sha256sum', '-c', '--strict', '--quiet', 'SHA256SUMS')).toMatchObject({ exitCode: 0, stderr: '' })
    const digest = resource!.digest.slice(7)
    expect(await readdir(join(directory, 'blobs/sha256', digest.slice(0, 2)))).toContain(digest)
    expect(await readdir(directory)).toEqual(expect.arrayContaining(['stagerd.db', 'stagerd-backup.json']))
  })

  it('holds its data against a collection of garbage until it is sent', async () => {
    const content = randomBytes(8_000_000)
    const { uuid } = await put('held', content)
    const { request, answer } = await here.connect('POST', '/v1/node/backup')
    request.end()
    const response = await answer
    await here.ask('DELETE', `/v1/packages/${uuid}`)
    await here.ask('POST', '/v1/node/gc', { older_than_ms: 0, keep_bytes: 0 })
    expect((await restore(await bytesOf(response))).status).toBe(200)
    expect((await there.ask('GET', `/v1/packages/${uuid}`)).status).toBe(200)
  })

  it('lacks what the node has lost, says so, and has the rest', async () => {
    const [lost, damaged, sound] = [
      await put('lost', randomBytes(500)),
      await put('damaged', randomBytes(500)),
      await put('sound', randomBytes(500)),
    ].map(({ resource }) => resource!.digest.slice(7))
    const pathOf = (digest: string) => join(here.directory.path, 'blobs/sha256', digest.slice(0, 2), digest)
    await rm(pathOf(lost!))
    await truncate(pathOf(damaged!), 100)
    const { status, document } = await restore(await backup())
    expect(status).toBe(200)
    const { left_out: leftOut } = document as unknown as RestoreReport
    expect(leftOut.map(({ sha256 }) => sha256).sort()).toEqual([lost, damaged].sort())
    expect(await there.storedBlobs()).toContain(sound)
  })
})

describe('a backup is refused, and nothing of it stays,', () => {
  it('when it is cut short, at any place', async () => {
    await put('one', randomBytes(3000))
    const file = await backup()
    // The last two blocks are the end of the archive, which says nothing.
    const lengths = [0, 1, 511, 512, 1024, Math.floor(file.length / 2), file.length - 1024 - 1, file.length - 2048]
    for (const length of lengths) {
      const { status, document } = await restore(file.subarray(0, length))
      expect({ length, status, document }).toMatchObject({ length, status: 400 })
      expect(document['code'], String(length)).toMatch(/^(bad-backup|backup-incomplete)$/)
      expect(document['detail']).toMatch(/^[A-Z].*\.$/)
    }
    expect(await leftOf(there)).toEqual([])
  })

  it('when a byte of it has changed, wherever that is', async () => {
    const { resource } = await put('one', randomBytes(3000))
    const file = await backup()
    const names = ['stagerd-backup.json', 'stagerd.db', resource!.digest.slice(7), 'SHA256SUMS']
    for (const name of names) {
      const header = file.indexOf(name)
      for (const at of [header + 3, header + 150, header - (header % 512) + 512 + 70]) {
        const damaged = Buffer.from(file)
        damaged[at]! ^= 0x01
        const { status, document } = await restore(damaged)
        expect({ name, at: at - header, status, document }).toMatchObject({ status: 400 })
        expect(document['code'], `${name} ${at - header}`).toMatch(/^(bad-backup|backup-(damaged|incomplete))$/)
      }
    }
    expect(await leftOf(there)).toEqual([])
    expect((await there.ask('GET', '/v1/packages')).document).toEqual([])
  })

  it('when it is something else', async () => {
    for (const file of [Buffer.from('no archive'), randomBytes(100_000), Buffer.alloc(10_240)])
      expect(await restore(file)).toMatchObject({ status: 400, document: { code: 'bad-backup' } })
  })

  it('when a newer stagerd has made it', async () => {
    const file = await backup()
    const at = file.indexOf('"schema": ')
    // The header has a checksum, the content is compared at the end only.
    file.write('"schema":9', at)
    const { status, document } = await restore(file)
    expect({ status, document }).toMatchObject({ status: 400, document: { code: 'backup-too-new' } })
    expect(document['detail']).toMatch(/restore it with that version or a later one/)
  })

  it('when the node has something, unless that is given up', async () => {
    await put('restored', randomBytes(100))
    await put('given-up', randomBytes(200), there)
    const file = await backup()
    const refused = await restore(file)
    expect(refused).toMatchObject({ status: 409, document: { code: 'store-not-empty' } })
    expect(refused.document['detail']).toContain('this one has 1 package:')
    expect((await restore(file, '?replace=true')).status).toBe(200)
    // Twice: what is remembered of the tables must not show those from before.
    expect((await restore(await backup(), '?replace=true')).status).toBe(200)
    expect(await shown(there)).toEqual(await shown(here))
    const resolution = await there.ask('POST', '/v1/packages/resolution', {
      namespace: '/acme',
      dependencies: [{ type: 'package', name: 'given-up' }],
    })
    expect(resolution.status, JSON.stringify(resolution.document)).toBe(422)
  })

  it('and what the node has stays, when it is the same', async () => {
    const staging = await client.endedStaging()
    const log = await here.stagingLogs.write(staging)
    await log.message('a line')
    await log.close()
    const file = await backup()
    const before = [await shown(here), await leftOf(here)]
    file[file.lastIndexOf('stagerd.db') - 10]! ^= 1
    expect((await restore(file, '?replace=true', here)).status).toBe(400)
    expect([await shown(here), await leftOf(here)]).toEqual(before)
  })

  it('when a staging is under way', async () => {
    const file = await backup()
    const other = await AccessClient.open(there)
    await other.staging()
    await (await nodeLedgerOf(there.store)).admitNext()
    expect(await restore(file, '?replace=true')).toMatchObject({ status: 409, document: { code: 'node-busy' } })
  })
})

it('takes the place of what is there only when the last staging is removed from the host', async () => {
  await put('app', randomBytes(100))
  const file = await backup()
  const [asked, idle] = [new Deferred<void>(), new Deferred<void>()]
  there.stagings.idle = () => {
    asked.resolve()
    return idle.promise
  }
  const restoring = restore(file)
  await asked.promise
  expect(there.stagings.draining).toBe(true)
  expect(await shown(there)).not.toEqual(await shown(here))
  idle.resolve()
  expect((await restoring).status).toBe(200)
  expect(await shown(there)).toEqual(await shown(here))
  expect(there.stagings.draining).toBe(false)
})

it('numbers that were in use before a backup are not given again', async () => {
  const { uuid } = await put('gone', randomBytes(100))
  const before = (await here.store.packages.get({ uuid })).importOrder
  await here.ask('DELETE', `/v1/packages/${uuid}`)
  expect((await restore(await backup())).status).toBe(200)
  const next = await put(`n-${randomUUID()}`, randomBytes(100), there)
  expect((await there.store.packages.get({ uuid: next.uuid })).importOrder).toBeGreaterThan(before)
})

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { messageOf } from '../../../base/errors.js'
import { Figures } from '../../hostile/support/promises.js'
import { WatchedDisk } from '../../support/disk/watched-disk.js'
import type { Answer, SocketClient } from '../../support/durability/engineless-daemon.js'
import { expectDurable, NodeUnderTest } from '../../support/durability/node-under-test.js'
import type { Acknowledged } from '../../support/durability/workload.js'

/** The checker of all durability tests finds each kind of fault that is planted, and their disk is closed in any case. */

let directory: string
let node: NodeUnderTest

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'stagerd-test-'))
  node = await NodeUnderTest.open(path.join(directory, 'state'))
  await node.workload.prepare()
  for (const operation of ['create a package', 'stage', 'delete a package']) await node.do(operation)
})
afterAll(async () => {
  await node.close()
  await rm(directory, { recursive: true })
})

const planted = new Figures(undefined)
const UNKNOWN = '00000000-0000-4000-8000-000000000000'
const STAGED = /^\/v1\/stagings\?|^\/v1\/stagings$|^\/v1\/stagings\//

/** What the checker says of the node, and of a client whose answers are changed. */
async function found(
  more: readonly Acknowledged[] = [],
  changed: (url: string, answer: Answer) => Partial<Answer> = () => ({}),
): Promise<string> {
  const call = async (method: string, url: string) => {
    const answer = await node.client.call(method, url)
    return { ...answer, ...changed(url, answer) }
  }
  const { stateDir, acknowledged } = node
  const client: Pick<SocketClient, 'call'> = { call }
  return await expectDurable('planted', { client, stateDir }, [...acknowledged, ...more], planted).then(
    () => 'nothing',
    (error: unknown) => messageOf(error),
  )
}

/** Changes all stagings in an answer. */
const withStagings = (change: object) => (url: string, answer: Answer) => {
  if (!STAGED.test(url)) return {}
  const { document } = answer
  return {
    document: Array.isArray(document)
      ? document.map((one: object) => ({ ...one, ...change }))
      : { ...(document as object), ...change },
  }
}

it('finds nothing where there is nothing', async () => {
  expect(await found()).toBe('nothing')
})

it.each<[string, Acknowledged, RegExp]>([
  ['a resource', { what: 'resource', sha256: '0'.repeat(64) }, /^loss: planted: resource 0+ has status 404$/],
  ['a package', { what: 'package', uuid: UNKNOWN, marks: ['0'] }, /^loss: planted: package 0.* has status 404$/],
  ['a staging', { what: 'staging', uuid: UNKNOWN, state: 'queued' }, /^loss: planted: staging 0.* has status 404/],
])('finds %s that is lost', async (_, one, expected) => {
  expect(await found([one])).toMatch(expected)
})

it('finds a change that is lost, and a deletion', async () => {
  const uuids = node.acknowledged.flatMap((one) => (one.what === 'package' ? [one.uuid] : []))
  const kept = uuids.find((uuid) => !node.acknowledged.some((one) => one.what === 'deletion' && one.uuid === uuid))!
  expect(await found([{ what: 'package', uuid: kept, marks: ['7'] }])).toMatch(/has not one of the marks 7/)
  expect(await found([{ what: 'deletion', uuid: kept }])).toMatch(/is there again/)
})

it('finds a staging with two ends, one that goes back, and one whose launch is still open', async () => {
  expect(await found([], withStagings({ state: 'cancelled' }))).toMatch(/is cancelled, and was succeeded/)
  const { uuid } = node.acknowledged.find((one) => one.what === 'staging')!
  expect(await found([{ what: 'staging', uuid, state: 'failed' }])).toMatch(/was succeeded and then failed/)
  expect(await found([], withStagings({ launches: [{ state: 'running' }] }))).toMatch(/a launch of it has not/)
})

it('finds data that is cut off, and a result that is not of the staging', async () => {
  const cut = (url: string, { body }: Answer) => (url.endsWith('/data') ? { body: body.subarray(0, 20) } : {})
  expect(await found([], cut)).toMatch(/^loss: planted: the data of package .* is not whole/)
  const state = (url: string, { document }: Answer) =>
    url === '/v1/packages' ? { document: (document as object[]).map((one) => ({ ...one, state: 'uploaded' })) } : {}
  expect(await found([], state)).toMatch(/is succeeded, and its package uploaded/)
})

it.each(['blobs/new/half', 'stagerd.db.new'])('finds %s, which is left', async (file) => {
  await writeFile(path.join(node.stateDir, file), '')
  expect(await found()).toMatch(new RegExp(`^leftover: planted: ${file}$`))
  await rm(path.join(node.stateDir, file))
})

it('closes a disk whose mount another mount namespace has copied', async () => {
  const disk = await WatchedDisk.open()
  const other = spawn('unshare', ['--mount', '--propagation=private', 'sh', '-c', 'echo copied; exec sleep 300'])
  try {
    await once(other.stdout, 'data')
    expect(await readFile(`/proc/${other.pid}/mountinfo`, 'utf8')).toContain(disk.path)
    await disk.close()
    expect(other.exitCode).toBeNull()
  } finally {
    const ended = once(other, 'exit')
    other.kill()
    await ended
  }
}, 60_000)

import { randomBytes } from 'node:crypto'
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { ApiUnderTest } from '../daemon/api/api-under-test.js'
import { useHarness } from './support/harness.js'

const harness = useHarness()

/** A real control API, and how stagectl reaches it. */
async function openNode() {
  const under = await ApiUnderTest.open()
  onTestFinished(() => under.close())
  const resource = await under.upload(randomBytes(1000))
  return { under, resource, socket: ['--socket', path.join(under.directory.path, 'api.sock')] }
}

test('node backup writes a file that only its owner reads, and node restore restores it', async () => {
  const { run, root } = harness()
  const [here, there] = [await openNode(), await openNode()]
  const draft = { namespace: '/acme', name: 'one', resource: here.resource, state: 'ready' }
  expect((await here.under.ask('POST', '/v1/packages', draft)).status).toBe(201)

  const { code, io } = await run('node', 'backup', 'node.tar', ...here.socket)
  expect([code, io.err, io.out]).toEqual([0, '', expect.stringMatching(/^Wrote \d.* to node\.tar\.\n$/)])
  const { mode } = await stat(path.join(root, 'node.tar'))
  expect(mode & 0o777).toBe(0o600)
  expect((await readdir(root)).sort()).toEqual(['api.sock', 'node.tar'])

  const restored = await run('node', 'restore', 'node.tar', ...there.socket)
  expect([restored.code, restored.io.err]).toEqual([0, ''])
  expect(restored.io.out).toMatch(/^Restored the backup of 20.*Z: 1 packages, 0 stagers, 0 pipelines, 0 stagings\.\n$/)
  const again = await run('node', 'restore', 'node.tar', ...there.socket)
  expect([again.code, again.io.err]).toEqual([4, expect.stringContaining('give this up with --replace.')])
  expect((await run('node', 'restore', 'node.tar', '--replace', ...there.socket)).code).toBe(0)
})

test('node backup says what the node has lost, and exits with 1', async () => {
  const { run } = harness()
  const { under, resource, socket } = await openNode()
  await under.ask('POST', '/v1/packages', { namespace: '/acme', name: 'one', resource, state: 'ready' })
  await under.blobs.delete(resource)
  const { code, io } = await run('node', 'backup', 'node.tar', ...socket)
  expect([code, io.err]).toEqual([1, expect.stringContaining(`The backup lacks the data ${resource}.`)])
  expect(io.out).toMatch(/^Wrote/)
})

test('node backup leaves no file when the connection is lost', async () => {
  const { api, run, root } = harness()
  api.on('POST /v1/node/backup', (_request, response) => {
    response.writeHead(200, { 'stagerd-backup-bytes': 100 }).write('z')
    setImmediate(() => response.destroy())
  })
  expect((await run('node', 'backup', 'node.tar')).code).toBe(3)
  // Also when the daemon ends it properly, too early.
  api.on('POST /v1/node/backup', (_request, response) => void response.end(Buffer.alloc(512)))
  expect(await run('node', 'backup', 'node.tar')).toMatchObject({ code: 4 })
  expect(await readdir(root)).toEqual(['api.sock'])
})

test('node restore says what is wrong with the file', async () => {
  const { run, root } = harness()
  const { socket } = await openNode()
  await mkdir(path.join(root, 'directory'))
  await writeFile(path.join(root, 'text'), 'no backup')
  for (const [file, message] of [
    ['missing', 'There is no file "missing": give a file that `stagectl node backup` wrote.'],
    ['directory', '"directory" is not a file: give one that `stagectl node backup` wrote.'],
    ['text', 'This is not a backup of stagerd: give a file that `stagectl node backup` wrote.'],
  ]) {
    const { code, io } = await run('node', 'restore', file!, ...socket)
    expect([code, io.err]).toEqual([4, expect.stringContaining(message!)])
  }
})

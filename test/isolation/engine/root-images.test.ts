import Docker from 'dockerode'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { expect, it, onTestFinished } from 'vitest'
import { Holder } from '../../../base/leases.js'
import { LastUsedTimes } from '../../../isolation/engine/last-used-times.js'
import { RootImages } from '../../../isolation/engine/root-images.js'
import type { ImageLayer } from '../../../isolation/layers/layer.js'

const OWNER = { nodeId: '00000000-0000-4000-8000-000000000000', installDirectory: '/opt/stagerd' }

const LAYER: ImageLayer = {
  diffId: `sha256:${'ab'.repeat(32)}`,
  tarLength: 1024,
  openTar: () => Promise.resolve(Readable.from([Buffer.alloc(1024)])),
}

/** An Engine at a socket that has no images, and takes loads without an answer until `answer` is called. */
async function loadingEngine() {
  const directory = await mkdtemp(join(tmpdir(), 'stagerd-engine-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const state = { loads: 0, broken: 0, answer: (): void => undefined }
  const handle = (request: IncomingMessage, response: ServerResponse) => {
    const url = request.url ?? ''
    if (url.startsWith('/images/load')) {
      state.loads += 1
      request.resume()
      request.on('error', () => undefined)
      response.on('close', () => (state.broken += response.writableFinished ? 0 : 1))
      state.answer = () => response.end('{"stream":"Loaded image"}\n')
    } else if (url.startsWith('/images/json')) response.setHeader('content-type', 'application/json').end('[]')
    else response.writeHead(404).end('{"message":"No such image"}')
  }
  const server = createServer(handle)
  const socketPath = join(directory, 'docker.sock')
  await new Promise<void>((resolve) => server.listen(socketPath, resolve))
  onTestFinished(async () => {
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  })
  const engine = new Docker({ socketPath, headers: { Connection: 'close' } })
  return { images: new RootImages(engine, OWNER, new LastUsedTimes(join(directory, 'images'))), state }
}

it('a load that nobody waits for any more is ended, by its callers and by the Engine', async () => {
  const { images, state } = await loadingEngine()
  const [first, second] = [new AbortController(), new AbortController()]
  const waiting = [
    images.ensure([LAYER], new Holder(), first.signal),
    images.ensure([LAYER], new Holder(), second.signal),
  ] as const
  await expect.poll(() => state.loads).toBe(1)
  first.abort(new Error('cancelled'))
  await expect(waiting[0]).rejects.toThrow('cancelled')
  expect(state.broken).toBe(0)
  second.abort(new Error('the daemon ends'))
  await expect(waiting[1]).rejects.toThrow('the daemon ends')
  await expect.poll(() => state.broken).toBe(1)
})

it('a caller that stays gets the image for which others do not wait', async () => {
  const { images, state } = await loadingEngine()
  const stop = new AbortController()
  const left = images.ensure([LAYER], new Holder(), stop.signal)
  const stays = images.ensure([LAYER], new Holder(), new AbortController().signal)
  await expect.poll(() => state.loads).toBe(1)
  stop.abort(new Error('cancelled'))
  await expect(left).rejects.toThrow('cancelled')
  state.answer()
  expect(await stays).toMatch(/^stagerd\/root:/)
  expect(state).toMatchObject({ loads: 1, broken: 0 })
})

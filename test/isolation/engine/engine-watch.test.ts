import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import Docker from 'dockerode'
import { expect, it, onTestFinished, vi } from 'vitest'
import { watchEngine } from '../../../isolation/engine/engine-watch.js'

/** An Engine that answers with its stream of events. */
async function engine() {
  const streams: ServerResponse[] = []
  const server = createServer((_, response) => {
    response.writeHead(200).flushHeaders()
    streams.push(response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { docker: new Docker({ protocol: 'http', host: '127.0.0.1', port }), streams }
}

it.each([
  ['closes its streams', (stream: ServerResponse) => void stream.end()],
  ['is killed', (stream: ServerResponse) => void stream.destroy()],
])('tells of the end of an Engine that %s', async (_, end) => {
  const { docker, streams } = await engine()
  const lost = vi.fn()
  await watchEngine(docker, lost, new AbortController().signal)
  expect(lost).not.toHaveBeenCalled()
  end(streams[0]!)
  await expect.poll(() => lost.mock.calls).toEqual([[expect.objectContaining({ code: 'engine-down' })]])
})

it('tells nothing more when it is over', async () => {
  const { docker, streams } = await engine()
  const lost = vi.fn()
  const over = new AbortController()
  await watchEngine(docker, lost, over.signal)
  const closed = once(streams[0]!, 'close')
  over.abort()
  await closed
  expect(lost).not.toHaveBeenCalled()
})

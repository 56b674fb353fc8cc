import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import Docker from 'dockerode'
import { expect, it, onTestFinished, vi } from 'vitest'
import { watchEngine } from '../../../isolation/engine/engine-watch.js'

/** An Engine that answers with its stream of events, by default at once. */
async function engine(
  answer: (response: ServerResponse) => void = (response) => response.writeHead(200).flushHeaders(),
) {
  const streams: ServerResponse[] = []
  const server = createServer((_, response) => {
    answer(response)
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

it('shares one stream among all who watch, until the last of them is over', async () => {
  const { docker, streams } = await engine()
  const [first, second] = [new AbortController(), new AbortController()]
  const [lostByFirst, lostBySecond] = [vi.fn(), vi.fn()]
  await Promise.all([watchEngine(docker, lostByFirst, first.signal), watchEngine(docker, lostBySecond, second.signal)])
  expect(streams).toHaveLength(1)
  first.abort()
  streams[0]!.end()
  await expect.poll(() => lostBySecond.mock.calls).toHaveLength(1)
  expect(lostByFirst).not.toHaveBeenCalled()

  // Another Engine, or the same one after its start.
  const third = new AbortController()
  await watchEngine(docker, lostByFirst, third.signal)
  expect(streams).toHaveLength(2)
  const closed = once(streams[1]!, 'close')
  third.abort()
  await closed
  await watchEngine(docker, lostByFirst, new AbortController().signal)
  expect(streams).toHaveLength(3)
})

it('goes on for the others when the one is over that was first to ask', async () => {
  const asked: ServerResponse[] = []
  const { docker } = await engine((response) => asked.push(response))
  const first = new AbortController()
  const lost = vi.fn()
  const begun = watchEngine(docker, vi.fn(), first.signal)
  const other = watchEngine(docker, lost, new AbortController().signal)
  first.abort(new Error('it is over'))
  await expect(begun).rejects.toThrow('it is over')
  await expect.poll(() => asked).toHaveLength(1)
  asked[0]!.writeHead(200).flushHeaders()
  await other
  asked[0]!.destroy()
  await expect.poll(() => lost.mock.calls).toHaveLength(1)
})

it('asks again after an Engine that has refused', async () => {
  const asked: ServerResponse[] = []
  const { docker } = await engine((response) => asked.push(response.writeHead(asked.length === 0 ? 500 : 200)))
  const watching = watchEngine(docker, vi.fn(), new AbortController().signal)
  await expect.poll(() => asked).toHaveLength(1)
  asked[0]!.end('{"message":"not now"}')
  await expect(watching).rejects.toMatchObject({ code: 'engine-error' })
  const again = watchEngine(docker, vi.fn(), new AbortController().signal)
  await expect.poll(() => asked).toHaveLength(2)
  asked[1]!.flushHeaders()
  await again
})

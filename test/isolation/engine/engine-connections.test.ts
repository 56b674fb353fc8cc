import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import Docker from 'dockerode'
import { expect, it, onTestFinished } from 'vitest'
import { Container } from '../../../isolation/engine/container.js'
import { pingEngine } from '../../../isolation/engine/connect.js'

/** An Engine that answers a request to attach with `answer`, and nothing else. */
async function engine(answer: (socket: Socket) => void = () => undefined) {
  const sockets = new Set<Socket>()
  const asked: string[] = []
  const server = createServer((request) => void asked.push(request.url ?? ''))
    .on('connection', (socket: Socket) => {
      sockets.add(socket)
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
    })
    .on('upgrade', (request, socket: Socket) => {
      asked.push(request.url ?? '')
      answer(socket)
      // As the Engine does: without this, a half of the connection stays open.
      socket.on('end', () => socket.end()).resume()
    })
    .listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { docker: new Docker({ protocol: 'http', host: '127.0.0.1', port }), sockets, asked }
}

const attach = (socket: Socket) =>
  void socket.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n')

it('an attached connection is closed with its owner, although nobody reads it', async () => {
  const { docker, sockets } = await engine((socket) => {
    attach(socket)
    socket.write('output that nobody reads')
  })
  const owner = new AbortController()
  await new Container(docker, '4128').attach(owner.signal)
  expect(sockets.size).toBe(1)
  owner.abort()
  await expect.poll(() => sockets.size).toBe(0)
})

it('a connection that the Engine has not answered is closed with its owner', async () => {
  const { docker, sockets, asked } = await engine()
  const owner = new AbortController()
  const attached = new Container(docker, '4128').attach(owner.signal)
  attached.catch(() => undefined)
  await expect.poll(() => asked.length).toBe(1)
  owner.abort()
  await expect(attached).rejects.toThrow()
  await expect.poll(() => sockets.size).toBe(0)
})

it('nothing is asked for an owner that is gone', async () => {
  const { docker, asked } = await engine(attach)
  await expect(new Container(docker, '4128').attach(AbortSignal.abort())).rejects.toThrow()
  expect(asked).toEqual([])
})

it('an end of a container that is not waited for any more leaves no connection', async () => {
  const { docker, sockets, asked } = await engine()
  const owner = new AbortController()
  const waiting = new Container(docker, '4128').wait(owner.signal)
  waiting.catch(() => undefined)
  await expect.poll(() => asked.length).toBe(1)
  owner.abort()
  await expect(waiting).rejects.toThrow()
  await expect.poll(() => sockets.size).toBe(0)
})

it('a question whether an Engine answers that hangs leaves no connection', async () => {
  const { docker, sockets } = await engine()
  await expect(pingEngine(docker, 20)).rejects.toMatchObject({ code: 'engine-down' })
  await expect.poll(() => sockets.size).toBe(0)
})

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { CuttableNetwork } from './cuttable-network.js'

/** A server that sends back what it gets, and a network to it. */
async function echoing() {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined).pipe(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const network = await CuttableNetwork.to({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' })
  onTestFinished(async () => {
    await network.close()
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { network, sockets }
}

async function client(network: CuttableNetwork) {
  const socket = connect(network.port, '127.0.0.1')
  let heard = ''
  socket.on('data', (piece: Buffer) => (heard += String(piece)))
  await once(socket, 'connect')
  onTestFinished(() => void socket.destroy())
  return { socket, heard: () => heard }
}

it('a network that is cut passes nothing, tells nobody, and delivers what was on its way when it is mended', async () => {
  const { network, sockets } = await echoing()
  const old = await client(network)
  old.socket.write('before')
  await expect.poll(old.heard).toBe('before')
  network.cut()
  old.socket.write(' meanwhile')
  const young = await client(network)
  young.socket.write('new')
  await delay(50)
  expect([old.heard(), young.heard(), sockets.size]).toEqual(['before', '', 1])
  expect(old.socket.closed).toBe(false)
  network.mend()
  await expect.poll(old.heard).toBe('before meanwhile')
  await expect.poll(young.heard).toBe('new')
})

it('the end of one side is that of the other', async () => {
  const { network, sockets } = await echoing()
  const { socket } = await client(network)
  socket.write('hello')
  await expect.poll(() => sockets.size).toBe(1)
  for (const far of sockets) far.destroy()
  await once(socket, 'close')
})

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { atTestEnd } from './at-test-end.js'

/** What happens to a connection: the request does not arrive, or its answer is cut off after so many bytes. */
export type Loss = 'request' | { readonly answerAfter: number }

/**
 * A network that loses the first connections to the coordinator at `url`, each as `losses` say. Returns the STAGER_URL
 * that leads through it. It is closed at the end of the test.
 */
export async function lossyProxy(url: string, losses: readonly Loss[]): Promise<string> {
  const { hostname, port, pathname } = new URL(url)
  const left = [...losses]
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    sockets.add(client)
    client.on('error', () => undefined)
    const loss = left.shift()
    if (loss === 'request') {
      client.once('data', () => client.resetAndDestroy())
      return
    }
    const coordinator = connect(Number(port), hostname)
    sockets.add(coordinator)
    coordinator.on('error', () => client.destroy())
    client.pipe(coordinator)
    if (loss === undefined) {
      coordinator.pipe(client)
      return
    }
    let passed = 0
    coordinator.on('data', (piece: Buffer) => {
      // Not yet the answer.
      if (piece.toString('latin1').startsWith('HTTP/1.1 100 ')) return client.write(piece)
      client.write(piece.subarray(0, Math.max(0, loss.answerAfter - passed)))
      passed += piece.length
      if (passed >= loss.answerAfter) client.end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  atTestEnd(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}${pathname}`
}

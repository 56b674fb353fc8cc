import { once } from 'node:events'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { errnoOf, Fault } from '../../base/errors.js'

/**
 * A TCP port for a listener of which nothing is known yet but its address. Whoever connects meanwhile is turned away.
 *
 * LIFECYCLE: either `close`, or a server that listens on `handle` and owns the port then.
 */
export class ReservedPort {
  private constructor(readonly handle: Server) {}

  /**
   * Throws `Fault` (`coordinator-listen`).
   *
   * @param wanted a port; another one is taken if a service of the host has it
   */
  static async on(address: string, wanted = 0): Promise<ReservedPort> {
    const server = createServer((socket) => socket.destroy())
    const listen = (port: number) => once(server.listen({ host: address, port }), 'listening')
    try {
      await listen(wanted).catch(async (error: unknown) => {
        if (wanted === 0 || errnoOf(error) !== 'EADDRINUSE') throw error
        await listen(0)
      })
      // An error of a connection that cannot be accepted would end the daemon.
      server.on('error', () => undefined)
      return new ReservedPort(server)
    } catch (error) {
      throw new Fault('coordinator-listen', `The coordinator cannot listen on ${address}.`, { cause: error })
    }
  }

  get port(): number {
    return (this.handle.address() as AddressInfo).port
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.handle.close(() => resolve()))
  }
}

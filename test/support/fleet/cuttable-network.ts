import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type NetConnectOpts, type Server, type Socket } from 'node:net'

/**
 * The network between one node and one server. When it is cut, nothing arrives any more in either direction, and neither side is
 * told: connections stay open, and new ones are not answered. When it is mended, what was on its way arrives.
 */
export class CuttableNetwork {
  readonly #server: Server
  readonly #directions = new Set<{ readonly from: Socket; readonly to: Socket }>()
  readonly #unanswered = new Set<Socket>()
  #isCut = false

  private constructor(private readonly target: NetConnectOpts) {
    this.#server = createServer({ pauseOnConnect: true }, (near) => {
      near.on('error', () => near.destroy())
      if (this.#isCut) this.#unanswered.add(near)
      else this.#join(near)
    })
  }

  /** Listens on loopback. */
  static async to(target: NetConnectOpts): Promise<CuttableNetwork> {
    const network = new CuttableNetwork(target)
    network.#server.listen(0, '127.0.0.1')
    await once(network.#server, 'listening')
    return network
  }

  /** What the node connects to. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  cut(): void {
    this.#isCut = true
    for (const { from, to } of this.#directions) from.unpipe(to).pause()
  }

  mend(): void {
    this.#isCut = false
    for (const { from, to } of this.#directions) from.pipe(to)
    for (const near of this.#unanswered) this.#join(near)
    this.#unanswered.clear()
  }

  async close(): Promise<void> {
    for (const near of this.#unanswered) near.destroy()
    for (const { from } of this.#directions) from.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #join(near: Socket): void {
    const far = connect(this.target)
    this.#relay(near, far)
    this.#relay(far, near)
  }

  #relay(from: Socket, to: Socket): void {
    const direction = { from, to }
    this.#directions.add(direction)
    from.on('error', () => from.destroy())
    from.on('close', () => {
      this.#directions.delete(direction)
      to.destroy()
    })
    from.pipe(to)
  }
}

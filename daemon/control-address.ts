import type { CleanupStack } from '../base/cleanup-stack.js'
import type { Api } from './api/fastify.js'
import { readCertificate, type Certificate } from './control-certificate.js'
import type { ControlAddress } from './settings/control-address.js'
import { TlsListener } from './tls-listener.js'

/** The control API on a TCP address, for clients with tokens. */
export class ControlListener {
  #certificate!: Certificate
  #listener!: TlsListener

  private constructor(private readonly address: ControlAddress) {}

  /**
   * Throws what `TlsListener.listen` and `readCertificate` throw.
   *
   * @param undo gets the end of the server
   * @param handshakeMs for tests
   */
  static async listen(
    api: Pick<Api, 'routing'>,
    address: ControlAddress,
    undo: CleanupStack,
    handshakeMs?: number,
  ): Promise<ControlListener> {
    const made = new ControlListener(address)
    const options = { address, setting: 'control-address', read: () => made.#read() } as const
    made.#listener = await TlsListener.listen(
      api,
      { ...options, ...(handshakeMs === undefined ? {} : { handshakeMs }) },
      undo,
    )
    return made
  }

  /** That of new connections. */
  get certificate(): Certificate {
    return this.#certificate
  }

  /** As `TlsListener.reload`. */
  async reloadCertificates(): Promise<Certificate> {
    await this.#listener.reload()
    return this.#certificate
  }

  async #read() {
    this.#certificate = await readCertificate(this.address)
    const { cert, key } = this.#certificate
    return { cert, key, minVersion: 'TLSv1.2' } as const
  }
}

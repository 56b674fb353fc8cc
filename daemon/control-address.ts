import { once } from 'node:events'
import { createServer, type Server } from 'node:https'
import type { CleanupStack } from '../base/cleanup-stack.js'
import { BadInput, Conflict, errnoOf, messageOf } from '../base/errors.js'
import type { Api } from './api/fastify.js'
import { readCertificate, type Certificate } from './control-certificate.js'
import type { ControlAddress } from './settings/control-address.js'

/** How long a client may take for the TLS handshake, and then for the head of a request, in milliseconds. */
const HANDSHAKE_MS = 10_000
const HEADERS_MS = 15_000

/** As Fastify on the control socket. */
const KEEP_ALIVE_MS = 72_000

/** Clients that have not said yet who they are take memory, too. */
const MAX_CONNECTIONS = 1_000

/**
 * The control API on a TCP address, with TLS. It takes a server of its own, because Fastify listens on the control socket
 * and supports one address only. As there, nothing limits the time of a whole request: uploads have a limit on stalling.
 */
export class ControlListener {
  readonly #server: Server
  readonly #address: ControlAddress

  private constructor(server: Server, address: ControlAddress) {
    this.#server = server
    this.#address = address
  }

  /**
   * Throws `Conflict` (`address-in-use`), `BadInput` (`bad-control-address`), and what `readCertificate` throws.
   *
   * @param undo gets the end of the server
   * @param handshakeMs for tests
   */
  static async listen(
    api: Pick<Api, 'routing'>,
    address: ControlAddress,
    undo: CleanupStack,
    handshakeMs = HANDSHAKE_MS,
  ): Promise<{ readonly listener: ControlListener; readonly certificate: Certificate }> {
    const certificate = await readCertificate(address)
    const server = createServer(
      {
        ...secureContext(certificate),
        handshakeTimeout: handshakeMs,
        headersTimeout: HEADERS_MS,
        keepAliveTimeout: KEEP_ALIVE_MS,
        requestTimeout: 0,
      },
      (request, response) => api.routing(request, response),
    )
    server.maxConnections = MAX_CONNECTIONS
    // A client that does not trust the certificate, or has no TLS, is not a fault of the daemon.
    server.on('tlsClientError', (_error, socket) => socket.destroy())
    undo.defer('close the control address', () => {
      server.close()
      server.closeAllConnections()
    })
    server.listen({ host: address.host, port: address.port })
    try {
      await once(server, 'listening')
    } catch (error) {
      throw listenError(error, address)
    }
    return { listener: new ControlListener(server, address), certificate }
  }

  /** Connections that are open keep the certificate that they have. If this throws, so do new ones. */
  async reloadCertificates(): Promise<Certificate> {
    const certificate = await readCertificate(this.#address)
    this.#server.setSecureContext(secureContext(certificate))
    return certificate
  }
}

function secureContext({ cert, key }: Certificate) {
  return { cert, key, minVersion: 'TLSv1.2' } as const
}

function listenError(error: unknown, { host, port }: ControlAddress): Error {
  const address = `${host.includes(':') ? `[${host}]` : host}:${port}`
  if (errnoOf(error) === 'EADDRINUSE')
    return new Conflict(
      'address-in-use',
      `Another program listens on ${address}: stop it, or use another address with --control-address.`,
      { cause: error },
    )
  return new BadInput(
    'bad-control-address',
    `stagerd cannot listen on ${address} (${messageOf(error)}): use another address with --control-address.`,
    { cause: error },
  )
}

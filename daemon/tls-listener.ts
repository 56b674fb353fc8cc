import { once } from 'node:events'
import { createServer, type Server, type ServerOptions } from 'node:https'
import type { SecureContextOptions } from 'node:tls'
import type { CleanupStack } from '../base/cleanup-stack.js'
import { BadInput, Conflict, errnoOf, messageOf } from '../base/errors.js'
import type { Api } from './api/fastify.js'
import { KEEP_ALIVE_MS } from './peers/peers.js'
import { formatAddress } from './settings/node-address.js'
import type { ListenAddress } from './settings/parse-value.js'

/** How long a client may take for the TLS handshake, and then for the head of a request, in milliseconds. */
const HANDSHAKE_MS = 10_000
const HEADERS_MS = 15_000

/** How long a connection may be idle between two requests, in milliseconds. As Fastify on the control socket. */
const IDLE_MS = 72_000

/** Clients that have not said yet who they are take memory, too. */
const MAX_CONNECTIONS = 1_000

export interface TlsListenerOptions {
  readonly address: ListenAddress
  /** The setting that has the address, for messages. */
  readonly setting: 'control-address' | 'node-address'
  /** Throws what the reader of the certificate throws. */
  readonly read: () => Promise<SecureContextOptions>
  /** How clients must prove who they are, with a certificate of an authority of the context. Default: not by TLS. */
  readonly mutual?: Pick<ServerOptions, 'requestCert' | 'rejectUnauthorized'>
  /** For tests. */
  readonly handshakeMs?: number
}

/**
 * The control API on a TCP address, with TLS. It takes a server of its own, because Fastify listens on the control socket
 * and supports one address only. As there, nothing limits the time of a whole request: uploads have a limit on stalling.
 */
export class TlsListener {
  private constructor(
    readonly server: Server,
    private readonly options: TlsListenerOptions,
  ) {}

  /**
   * Throws `Conflict` (`address-in-use`), `BadInput` (`bad-control-address`, `bad-node-address`), and what `read` throws.
   *
   * @param undo gets the end of the server
   */
  static async listen(
    api: Pick<Api, 'routing'>,
    options: TlsListenerOptions,
    undo: CleanupStack,
  ): Promise<TlsListener> {
    const { address, setting, read, mutual = {}, handshakeMs = HANDSHAKE_MS } = options
    const server = createServer(
      {
        ...{ ...(await read()), ...mutual },
        handshakeTimeout: handshakeMs,
        headersTimeout: HEADERS_MS,
        keepAliveTimeout: IDLE_MS,
        // A client whose host vanishes leaves no shell and no quiet run behind: the kernel looks whether it is still there.
        ...{ keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS },
        requestTimeout: 0,
      },
      (request, response) => api.routing(request, response),
    )
    server.maxConnections = MAX_CONNECTIONS
    // A client that does not trust the certificate, that has none where it must, or has no TLS, is not a fault of the daemon.
    server.on('tlsClientError', (_error, socket) => socket.destroy())
    undo.defer(`close the ${setting}`, () => {
      server.close()
      server.closeAllConnections()
    })
    server.listen({ host: address.host, port: address.port })
    try {
      await once(server, 'listening')
    } catch (error) {
      throw listenError(error, options)
    }
    return new TlsListener(server, options)
  }

  /** Connections that are open keep the certificate that they have. If this throws, so do new ones. */
  async reload(): Promise<void> {
    this.server.setSecureContext(await this.options.read())
  }
}

function listenError(error: unknown, { address, setting }: TlsListenerOptions): Error {
  const shown = formatAddress(address)
  if (errnoOf(error) === 'EADDRINUSE')
    return new Conflict(
      'address-in-use',
      `Another program listens on ${shown}: stop it, or use another address with --${setting}.`,
      { cause: error },
    )
  return new BadInput(
    `bad-${setting}`,
    `stagerd cannot listen on ${shown} (${messageOf(error)}): use another address with --${setting}.`,
    { cause: error },
  )
}

import { constants } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import type { CleanupStack } from '../base/cleanup-stack.js'
import type { TokenCallers } from './access/callers.js'
import type { Api } from './api/fastify.js'
import { CLIENT_AUTH, readNodeCertificate, usagesOf, type NodeCertificate } from './node-certificate.js'
import type { NodeAddress } from './settings/node-address.js'
import { TlsListener } from './tls-listener.js'

/** What this node proves with that it is one: read at the start, and again on a reload. */
export class NodeCredentials {
  #current: NodeCertificate

  private constructor(
    readonly address: NodeAddress,
    current: NodeCertificate,
  ) {
    this.#current = current
  }

  /** Undefined without a node address. Throws what `readNodeCertificate` throws. */
  static async read(address: NodeAddress | undefined): Promise<NodeCredentials | undefined> {
    return address && new NodeCredentials(address, await readNodeCertificate(address))
  }

  get current(): NodeCertificate {
    return this.#current
  }

  /** Throws what `readNodeCertificate` throws; then the old ones stay. */
  async reload(): Promise<void> {
    this.#current = await readNodeCertificate(this.address)
  }
}

/** What the listener for other nodes takes. */
export interface ForNodes {
  readonly credentials: NodeCredentials
  readonly callers: TokenCallers
}

/**
 * Listens for the requests that other nodes pass on. Who is no node does not get through the handshake: whoever does may say
 * whose request it is.
 *
 * Throws what `TlsListener.listen` throws.
 */
export async function listenForNodes(
  api: Pick<Api, 'routing'>,
  { credentials, callers }: ForNodes,
  undo: CleanupStack,
): Promise<TlsListener> {
  const context = () => {
    const { cert, key, ca } = credentials.current
    // A session that is resumed would not be asked for its certificate again, which may have expired, or another authority.
    return Promise.resolve({ cert, key, ca, minVersion: 'TLSv1.3', secureOptions: constants.SSL_OP_NO_TICKET } as const)
  }
  const listener = await TlsListener.listen(
    api,
    {
      ...{ address: credentials.address, setting: 'node-address', read: context },
      mutual: { requestCert: true, rejectUnauthorized: true },
    },
    undo,
  )
  listener.server.on('secureConnection', (socket: TLSSocket) => {
    // OpenSSL takes a certificate that names no usage for any.
    const isClient = usagesOf(socket.getPeerX509Certificate()).includes(CLIENT_AUTH)
    if (socket.authorized && isClient) callers.trustNode(socket)
    else socket.destroy()
  })
  return listener
}

import type { ClientRequest, IncomingMessage } from 'node:http'
import { request as sendRequest } from 'node:https'
import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { Conflict, Unavailable } from '../../base/errors.js'
import { describeSystemError } from '../../base/system-error.js'
import type { FleetNode } from '../model/node.js'

/** How long a node may take to accept a connection and to prove who it is, in milliseconds. */
const CONNECT_MS = 5_000
/** After which silence the kernel looks whether the other host is still there, in milliseconds. */
export const KEEP_ALIVE_MS = 15_000

/** What both sides of a connection between nodes prove who they are with, in PEM. */
export interface PeerCredentials {
  readonly cert: string
  readonly key: string
  /** Nothing else is trusted. */
  readonly ca: string
}

export interface PeerRequest {
  readonly method: string
  /** With its query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** A stream is piped and not destroyed, because an answer may come before its end. Undefined: there is none. Its framing is added. */
  readonly body: string | Readable | undefined
  /** Ends the connection. */
  readonly signal: AbortSignal
}

/** Requests of this node to others. Each has a connection of its own: they are rare, and most of them last. */
export class Peers {
  /** @param credentials as they are now; undefined if this node has none */
  constructor(
    private readonly credentials: () => PeerCredentials | undefined,
    private readonly connectMs = CONNECT_MS,
  ) {}

  /**
   * Resolves with the head of the answer, whose body the caller reads or destroys. Throws `Conflict` (`node-not-connected`) if
   * there is no way to that node, `Unavailable` (`node-unreachable`) if there is no connection to it, so that it has heard nothing,
   * `Unavailable` (`connection-lost`) if that breaks before the answer, and the reason of the signal.
   */
  async ask(node: FleetNode, { method, path, headers, body, signal }: PeerRequest): Promise<IncomingMessage> {
    const credentials = this.credentials()
    if (!credentials) throw notConnected(node, 'This node has no node-address')
    if (node.nodeAddress === undefined) throw notConnected(node, 'That node has no node-address')
    signal.throwIfAborted()
    const request = sendRequest({
      ...{ ...credentials, minVersion: 'TLSv1.3', agent: false },
      ...{ ...hostAndPort(node.nodeAddress), method, path, headers: { ...headers, ...framingOf(body) } },
    })
    let isConnected = false
    request.once('socket', (socket) => {
      limitConnecting(socket, this.connectMs)
      socket.once('secureConnect', () => (isConnected = true))
    })
    request.setSocketKeepAlive(true, KEEP_ALIVE_MS)
    const end = () => request.destroy()
    signal.addEventListener('abort', end, { once: true })
    request.once('close', () => signal.removeEventListener('abort', end))
    return await answerTo(request, body).catch((error: unknown) => {
      signal.throwIfAborted()
      throw isConnected ? lost(node, method, error) : unreachable(node, error)
    })
  }
}

/** Node.js adds none for some methods: what follows the head would be the next request, with headers of its own. */
function framingOf(body: PeerRequest['body']): Readonly<Record<string, string>> {
  if (body === undefined) return {}
  return typeof body === 'string'
    ? { 'content-length': String(Buffer.byteLength(body)) }
    : { 'transfer-encoding': 'chunked' }
}

function answerTo(request: ClientRequest, body: PeerRequest['body']): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve)
    // Also after the answer: its body has the error then.
    request.on('error', reject)
    if (typeof body !== 'object') {
      request.end(body)
      return
    }
    // A refusal need not wait for a body that begins late, such as the keys of a user.
    request.flushHeaders()
    body.pipe(request)
    request.once('close', () => body.unpipe(request).resume())
  })
}

function limitConnecting(socket: Socket, ms: number): void {
  const timer = setTimeout(() => socket.destroy(new Error(`it does not answer within ${ms / 1000} seconds`)), ms)
  const end = () => clearTimeout(timer)
  socket.once('secureConnect', end).once('close', end)
}

function hostAndPort(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) }
}

function notConnected({ name, address }: FleetNode, why: string): Conflict {
  return new Conflict(
    'node-not-connected',
    `Only the node ${name} can answer this, and requests are not passed on to it. ${why}: set it there, or ask ${name} itself${address === undefined ? '' : `, at ${address}`}.`,
  )
}

function unreachable({ name, nodeAddress, lastSeenAt }: FleetNode, error: unknown): Unavailable {
  return new Unavailable(
    'node-unreachable',
    `Only the node ${name} can answer this, and it does not answer at ${nodeAddress} (${describeSystemError(error)}); it was last seen at ${lastSeenAt}: try again when it is back.`,
    { cause: error },
  )
}

function lost({ name }: FleetNode, method: string, error: unknown): Unavailable {
  const reads = method === 'GET' || method === 'HEAD'
  return new Unavailable(
    'connection-lost',
    `Only the node ${name} can answer this, and the connection to it was lost before it did (${describeSystemError(error)}): ${reads ? 'try again' : 'it may have been done, so look before you try again'}.`,
    { cause: error },
  )
}

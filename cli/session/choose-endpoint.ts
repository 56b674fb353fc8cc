import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { BadInput } from '../../base/errors.js'
import { fileError } from '../../base/file-error.js'
import { quote } from '../../base/fqn.js'
import type { Endpoint } from '../api/endpoint.js'
import { UsageError } from '../options/usage-error.js'
import type { Io } from '../terminal/io.js'
import { contextNamed, LOCAL, readContexts, type Context } from './contexts.js'
import { findToken } from './token.js'

export interface EndpointOptions {
  readonly socket?: string
  readonly address?: string
  readonly ca?: string
  readonly context?: string
}

export interface Chosen {
  /** Those of one stagerd, or of the nodes of a fleet: in the order in which they are tried. */
  readonly endpoints: readonly [Endpoint, ...Endpoint[]]
  /** The context that it comes from. */
  readonly context?: Context
}

const DEFAULT_SOCKET = '/run/stagerd/stagerd.sock'

/**
 * The stagerd that a command is for. An option comes before a variable, a variable before the current context, and
 * STAGERD_SOCKET before STAGERD_CONTEXT. Without any of them it is the control socket of this host.
 *
 * Throws `UsageError`, `NotFound` (`context-not-found`), `BadInput` for an address, a token or a certificate that cannot be
 * used.
 */
export async function chooseEndpoint({ env, cwd }: Pick<Io, 'env' | 'cwd'>, options: EndpointOptions): Promise<Chosen> {
  const { socket, address, ca, context } = options
  if ([socket, address, context].filter((one) => one !== undefined).length > 1)
    throw new UsageError('--socket, --address and --context exclude each other: give one of them.')
  if (ca !== undefined && address === undefined)
    throw new UsageError('--ca is for an address: give the address, too, with --address.')
  if (address !== undefined) {
    const file = ca === undefined ? undefined : path.resolve(cwd, ca)
    return { endpoints: await addressEndpoints({ address, ...(file === undefined ? {} : { ca: file }) }, env) }
  }
  const local = socket ?? (context === undefined ? nonEmpty(env['STAGERD_SOCKET']) : undefined)
  if (local !== undefined) return { endpoints: [socketEndpoint(local)] }
  return await endpointOfContext(env, context ?? nonEmpty(env['STAGERD_CONTEXT']))
}

async function endpointOfContext(env: Io['env'], wanted: string | undefined): Promise<Chosen> {
  if (wanted === LOCAL) return { endpoints: [socketEndpoint(DEFAULT_SOCKET)] }
  const contexts = await readContexts(env)
  const name = wanted ?? contexts.current
  if (name === undefined) return { endpoints: [socketEndpoint(DEFAULT_SOCKET)] }
  const context = contextNamed(contexts, name)
  return { endpoints: await addressEndpoints(context, env), context }
}

async function addressEndpoints(context: Context, env: Io['env']): Promise<Chosen['endpoints']> {
  const [first, ...others] = parseAddresses(context.address)
  const ca = context.ca === undefined ? undefined : await readAuthority(context.ca)
  const token = findToken(env, context.tokenFile)
  const endpoint = (url: string): Endpoint => ({ kind: 'address', url, ca, token })
  return [endpoint(first), ...others.map(endpoint)]
}

/** The origins, of one or more nodes of a fleet, comma-separated. Throws `BadInput` (`bad-address`). */
export function parseAddresses(text: string): readonly [string, ...string[]] {
  const [first = '', ...others] = text.split(',').map((one) => one.trim())
  return [parseAddress(first), ...others.map(parseAddress)]
}

function parseAddress(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  // Only an origin: there may be no password in it, either.
  if (url?.protocol !== 'https:' || url.href !== `${url.origin}/`)
    throw new BadInput(
      'bad-address',
      `The address is not of the form https://stagerd.example.org:7300: write https, a host and a port, and nothing else; with commas between the addresses of several nodes.`,
    )
  return url.origin
}

async function readAuthority(file: string): Promise<string> {
  let pem: string
  try {
    pem = await readFile(file, 'utf8')
  } catch (error) {
    throw fileError(error, { file, remedy: 'give --ca the certificate of an authority, in PEM' })
  }
  if (!pem.includes('-----BEGIN CERTIFICATE-----'))
    throw new BadInput(
      'bad-ca',
      `${quote(file)} contains no certificate: give --ca the certificate of an authority, in PEM.`,
    )
  return pem
}

/** The system calls take no longer path, and some libraries cut it off. */
const MAX_SOCKET_PATH_BYTES = 107

function socketEndpoint(socket: string): Endpoint {
  if (Buffer.byteLength(socket) > MAX_SOCKET_PATH_BYTES)
    throw new UsageError(
      `${quote(socket)} is too long for the path of a socket: give --socket or STAGERD_SOCKET one of at most ${MAX_SOCKET_PATH_BYTES} bytes.`,
    )
  return { kind: 'socket', path: socket }
}

export function nonEmpty(value: string | undefined): string | undefined {
  return value === '' ? undefined : value
}

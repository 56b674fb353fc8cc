import { isIP } from 'node:net'
import type { Readable } from 'node:stream'
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls'
import { Agent, EnvHttpProxyAgent, request, type Dispatcher } from 'undici'
import { AddressRules } from './address-rules.js'
import { guardedConnector, type LookUp } from './guarded-connector.js'
import { ownAddresses } from './own-addresses.js'
import { assertAllowed, parseOutboundUrl } from './refusals.js'

export interface OutboundOptions {
  /** CIDRs of networks that are allowed although they are not public. */
  readonly networks: readonly string[]
  /** Name of the setting that lists them, for messages. */
  readonly setting: string
  /** URLs of proxies, by the protocol of what is asked for, and what is reached without them. */
  readonly proxies?: {
    readonly http: string | undefined
    readonly https: string | undefined
    readonly exceptions: string | undefined
  }
  /** PEM. Certificates of authorities that are trusted besides those that come with Node.js. */
  readonly authorities?: string | undefined
  readonly connectTimeoutMs?: number
  /** For tests. */
  readonly lookUp?: LookUp
}

export interface OutboundRequest {
  readonly method: 'GET' | 'HEAD' | 'POST'
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | Readable
  /** Limits the whole request. */
  readonly signal: AbortSignal
}

/** As undici has it. The body must be read or dumped. */
export type OutboundResponse = Dispatcher.ResponseData

/**
 * Sends requests of the daemon to URLs that users give, without giving them the networks that only this host reaches.
 *
 * Addresses are judged when they are connected to; see address-rules.ts. Redirects are not followed, and no connection is
 * kept, so each request is judged anew. A proxy of the settings is trusted: it looks names up itself, so only a URL
 * with an address in place of a name is judged before it is asked.
 *
 * The owner calls `close`, which ends all requests.
 */
export class OutboundClient {
  readonly #rules: AddressRules
  readonly #options: OutboundOptions
  readonly #direct: Agent
  readonly #proxied = new Map<string, Dispatcher>()

  constructor(options: OutboundOptions) {
    const { networks, setting, connectTimeoutMs: timeoutMs = 10_000, proxies, lookUp } = options
    const tls = trusting(options.authorities)
    this.#options = options
    this.#rules = new AddressRules(networks, ownAddresses)
    const connect = guardedConnector({ rules: this.#rules, setting, timeoutMs, tls, ...(lookUp ? { lookUp } : {}) })
    this.#direct = new Agent({ connect, pipelining: 0 })
    for (const proxy of new Set([proxies?.http, proxies?.https]))
      if (proxy !== undefined)
        this.#proxied.set(
          proxy,
          // Without these, it reads variables of the environment.
          new EnvHttpProxyAgent({
            ...{ connect, pipelining: 0, httpProxy: proxy, httpsProxy: proxy },
            noProxy: proxies?.exceptions ?? '',
            // Of the proxy, if it is asked over TLS, and of what is behind it.
            ...{ proxyTls: tls, requestTls: tls },
          }),
        )
  }

  /**
   * What can be said before a request. Throws `BadInput` (`bad-url`), `Refused` (`address-not-listed`,
   * `address-forbidden`).
   */
  parse(text: string): URL {
    const url = parseOutboundUrl(text)
    const host = url.hostname.replace(/^\[|\]$/g, '')
    if (isIP(host) !== 0) assertAllowed(host, host, this.#rules, this.#options.setting)
    return url
  }

  /** Throws as `parse` does, and the errors of connections. */
  async request(text: string, { method, headers, body, signal }: OutboundRequest): Promise<OutboundResponse> {
    const url = this.parse(text)
    const { proxies } = this.#options
    const proxy = url.protocol === 'https:' ? proxies?.https : proxies?.http
    const dispatcher = (proxy === undefined ? undefined : this.#proxied.get(proxy)) ?? this.#direct
    return await request(url, { dispatcher, method, headers: { ...headers }, body: body ?? null, signal })
  }

  async close(): Promise<void> {
    await Promise.all([this.#direct, ...this.#proxied.values()].map((one) => one.destroy()))
  }
}

/** Made once: to read all certificates takes some milliseconds. Without authorities, Node.js does what it does by default. */
function trusting(authorities: string | undefined): { readonly secureContext?: SecureContext } {
  return authorities === undefined
    ? {}
    : { secureContext: createSecureContext({ ca: [...rootCertificates, authorities] }) }
}

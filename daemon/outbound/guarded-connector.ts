import { lookup as lookUpInSystem, type LookupAddress } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import type { SecureContext } from 'node:tls'
import { buildConnector } from 'undici'
import type { AddressRules } from './address-rules.js'
import { refusal } from './refusals.js'
import { Turns } from './turns.js'

/** As `dns.lookup` with `all`. */
export type LookUp = (
  hostname: string,
  options: { readonly all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

export interface ConnectorOptions {
  readonly rules: Pick<AddressRules, 'judge'>
  /** Name of the setting that lists networks, for messages. */
  readonly setting: string
  readonly timeoutMs: number
  readonly tls: { readonly secureContext?: SecureContext }
  /** For tests. */
  readonly lookUp?: LookUp
}

/** Lookups take threads that the files of the daemon need, too: a resolver that hangs must not take all of them. */
const LOOKUPS_AT_ONCE = 2

/**
 * Connects to allowed addresses only. The addresses that are judged are those that are then connected to, so a name whose
 * answers change between the two makes no difference.
 */
export function guardedConnector(options: ConnectorOptions): buildConnector.connector {
  const { rules, setting, timeoutMs, tls, lookUp = lookUpInSystem } = options
  const turns = new Turns(LOOKUPS_AT_ONCE)
  const lookup: LookupFunction = (hostname, { all }, callback) => {
    turns.take((done) => {
      lookUp(hostname, { all: true }, (error, found) => {
        done()
        const [first, ...others] = error ? [] : found.filter(({ address }) => rules.judge(address).kind === 'allowed')
        if (!first) callback(error ?? whyNone(hostname, found), [])
        else if (all === true) callback(null, [first, ...others])
        else callback(null, first.address, first.family)
      })
    })
  }
  const whyNone = (hostname: string, [first]: readonly LookupAddress[]): Error | null => {
    const judgement = rules.judge(first?.address ?? '')
    return judgement.kind === 'allowed' ? null : refusal(hostname, judgement, setting)
  }
  // `lookup` is an option of the socket, to which undici passes all options on.
  const socketOptions = { ...tls, timeout: timeoutMs, lookup }
  const connect = buildConnector(socketOptions)
  return (to, callback) => {
    const host = to.hostname.replace(/^\[|\]$/g, '')
    const refused = (address: string): Error | undefined => {
      const judgement = rules.judge(address)
      return judgement.kind === 'allowed' ? undefined : refusal(host, judgement, setting)
    }
    // The lookup is skipped for an address.
    const early = isIP(host) === 0 ? undefined : refused(host)
    if (early) {
      callback(early, null)
      return
    }
    connect(to, (...[error, socket]) => {
      if (error) {
        callback(error, null)
        return
      }
      const late = refused(socket.remoteAddress ?? '')
      if (late) {
        socket.destroy()
        callback(late, null)
      } else callback(null, socket)
    })
  }
}

import type { CompressorChoice } from '../../isolation/compressor-choice.js'
import type { Limits } from '../../isolation/launch-plan.js'

/** Everything that can be configured, parsed and checked. */
export interface Settings {
  readonly stateDir: string
  readonly socket: string
  /** Group of the control socket. If the host has no such group, the socket keeps the group of the daemon. */
  readonly group: string
  /** Optional TCP address of the control API. It has no authentication, so only loopback addresses are allowed. */
  readonly listen: ListenAddress | undefined
  /** Maximum number of stagings that run at the same time. */
  readonly concurrency: number
  /** IPv4 network in CIDR notation. Each launch gets a small network out of it. */
  readonly bridgePool: string
  /** PEM file handed to stagers, for a host that trusts a private certificate authority. */
  readonly caBundle: string | undefined
  /** Limits of a stager or run that sets none of its own. */
  readonly limits: Limits
  /** Maximum size of the resource of a package, in bytes, unless a policy says otherwise. */
  readonly packageQuotaBytes: number
  /** Compresses snapshots. */
  readonly compressor: CompressorChoice
  /** Garbage collection keeps an upload that no package refers to for this long, in milliseconds. */
  readonly uploadGraceMs: number
  readonly logLevel: string
}

export interface ListenAddress {
  readonly host: string
  readonly port: number
}

import { BadInput } from '../../base/errors.js'
import type { ListenAddress } from './parse-value.js'

/** A TCP address of the control API, which always has TLS. */
export interface ControlAddress extends ListenAddress {
  /** Paths of PEM files. */
  readonly certificate: string
  readonly key: string
}

/**
 * The settings `control-address`, `tls-certificate` and `tls-key` belong together. Throws `BadInput` (`tls-required`,
 * `tls-unused`).
 */
export function controlAddressOf({
  address,
  certificate,
  key,
}: {
  readonly address: ListenAddress | undefined
  readonly certificate: string | undefined
  readonly key: string | undefined
}): ControlAddress | undefined {
  if (!address) {
    if (certificate === undefined && key === undefined) return undefined
    throw new BadInput(
      'tls-unused',
      'tls-certificate and tls-key are for control-address, which is not set: set it, or remove them.',
    )
  }
  if (certificate === undefined || key === undefined)
    throw new BadInput(
      'tls-required',
      `control-address needs ${certificate === undefined ? 'tls-certificate' : 'tls-key'}: the control API is served over TCP with TLS only.`,
    )
  return { ...address, certificate, key }
}

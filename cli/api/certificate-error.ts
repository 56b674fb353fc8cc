import { errnoOf, messageOf } from '../../base/errors.js'

/** Not signed by an authority that this host trusts, in the codes of OpenSSL. */
const UNTRUSTED = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
])

/** The code of an error: there is a connection, and nobody who speaks TLS on it in time. */
export const HANDSHAKE_TIMEOUT = 'HANDSHAKE_TIMEOUT'

/** The code and the sentence for a failed TLS handshake; undefined for any other error. */
export function certificateError(error: unknown, url: string): readonly [code: string, message: string] | undefined {
  const code = errnoOf(error) ?? ''
  const { hostname } = new URL(url)
  if (UNTRUSTED.has(code))
    return [
      'certificate-untrusted',
      `The certificate of ${url} comes from an authority that is not trusted here: give the certificate of that authority with --ca FILE, also in \`stagectl context add\`.`,
    ]
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const names = /.*altnames: (.*)$/.exec(messageOf(error))?.[1]
    return [
      'certificate-for-another-host',
      `The certificate of ${url} is not for ${hostname}${names === undefined ? '' : `, but for ${names}`}: use a name that it has, or have it made for this one.`,
    ]
  }
  if (code === 'CERT_HAS_EXPIRED')
    return ['certificate-expired', `The certificate of ${url} has expired: have it renewed on that node.`]
  if (code === 'CERT_NOT_YET_VALID')
    return [
      'certificate-not-yet-valid',
      `The certificate of ${url} is not valid yet: check the clock of this host, or that of the node.`,
    ]
  if (code === HANDSHAKE_TIMEOUT)
    return [
      'no-daemon',
      `${url} takes a connection and says nothing: look whether stagerd on that node stands still, or correct the address.`,
    ]
  if (isProtocolError(error))
    return [
      'no-tls',
      `${url} does not speak TLS 1.2 or later: give the address that control-address has in the settings of the node.`,
    ]
  return undefined
}

/** Whether what was received is not what TLS allows, or the other side has said so. */
export function isProtocolError(error: unknown): boolean {
  const code = errnoOf(error) ?? ''
  return code === 'EPROTO' || code.startsWith('ERR_SSL_')
}

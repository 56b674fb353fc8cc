import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { BadInput } from '../base/errors.js'
import { readCertificate, readPem, type Certificate } from './control-certificate.js'
import type { NodeAddress } from './settings/node-address.js'

/** What a node proves to other nodes that it is one, and what they must prove it with. */
export interface NodeCertificate extends Certificate {
  /** The certificates of the authority of the fleet, in PEM. Nothing else is trusted. */
  readonly ca: string
}

/** Extended key usages: a node is a server for the others, and their client. */
export const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'
const USAGES: Readonly<Record<string, string>> = { '1.3.6.1.5.5.7.3.1': 'serverAuth', [CLIENT_AUTH]: 'clientAuth' }

/**
 * Reads the certificate, the key and the authority, and finds before others do why they would not be trusted.
 *
 * Throws `BadInput` (`bad-node-certificate`, `bad-node-key`, `bad-node-authority`), which names the file and the reason.
 */
export async function readNodeCertificate(address: NodeAddress, now = new Date()): Promise<NodeCertificate> {
  const certificate = await readCertificate(address, 'node')
  const ca = await readPem(address.authority, 'node-authority')
  const authorities = certificatesIn(ca)
  if (authorities.length === 0 || !authorities.every((one) => one.ca))
    throw new BadInput(
      'bad-node-authority',
      `${address.authority} has no certificate of an authority in PEM: give node-authority that of the authority of the fleet.`,
    )
  const [leaf, ...between] = certificatesIn(certificate.cert)
  const mistake = leaf && mistakeOf({ leaf, between, authorities }, address, now)
  if (mistake !== undefined)
    throw new BadInput('bad-node-certificate', `The certificate ${address.certificate} ${mistake}.`)
  return { ...certificate, ca }
}

interface Chain {
  readonly leaf: X509Certificate
  readonly between: readonly X509Certificate[]
  readonly authorities: readonly X509Certificate[]
}

/** The rest of a sentence: what is wrong, and what would be right. */
function mistakeOf(chain: Chain, { host, authority }: NodeAddress, now: Date): string | undefined {
  const { leaf } = chain
  if (new Date(leaf.validTo) < now) return `has expired at ${leaf.validTo}: have it renewed`
  if (new Date(leaf.validFrom) > now)
    return `is not valid before ${leaf.validFrom}: check the clock of this host, or have it made again`
  if (!isSigned(chain)) return `is not signed by the authority in ${authority}: have it signed by that one`
  const usages = usagesOf(leaf)
  const missing = Object.entries(USAGES).flatMap(([oid, name]) => (usages.includes(oid) ? [] : [name]))
  if (missing.length > 0)
    return `lacks the extended key usage ${missing.join(' and ')}: have it made with extendedKeyUsage=serverAuth,clientAuth`
  if ((isIP(host) === 0 ? leaf.checkHost(host) : leaf.checkIP(host)) === undefined)
    return `is not for ${host}, where other nodes reach this one (node-address): have it made for that name (subjectAltName)`
  return undefined
}

/** OIDs of the extended key usages; none for a certificate that may be used for anything. */
export function usagesOf(certificate: X509Certificate | undefined): readonly string[] {
  return certificate?.keyUsage ?? []
}

function isSigned({ leaf, between, authorities }: Chain): boolean {
  let one = leaf
  for (let left = between.length; left >= 0; left--) {
    const issuer = (by: X509Certificate) => one.checkIssued(by) && one.verify(by.publicKey)
    if (authorities.some(issuer)) return true
    const next = between.find(issuer)
    if (!next) return false
    one = next
  }
  return false
}

function certificatesIn(pem: string): readonly X509Certificate[] {
  const found = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  try {
    return found.map((one) => new X509Certificate(one))
  } catch {
    return []
  }
}

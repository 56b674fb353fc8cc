import { readFile } from 'node:fs/promises'
import { BadInput, messageOf } from '../base/errors.js'

/** Path of the bundle in every root, and in /stagerfs. */
const PATH_IN_CONTAINER = '/etc/ssl/stagerd-ca.pem'

/** Each program has a variable of its own for the path; there is no common one. */
const VARIABLES = [
  'SSL_CERT_FILE',
  'CURL_CA_BUNDLE',
  'GIT_SSL_CAINFO',
  'NODE_EXTRA_CA_CERTS',
  'PIP_CERT',
  'REQUESTS_CA_BUNDLE',
  'npm_config_cafile',
]

/** For a host that trusts a private certificate authority; empty on any other host. */
export interface CaBundle {
  readonly files: ReadonlyMap<string, string>
  readonly environment: Readonly<Record<string, string>>
  /** For requests of the daemon itself. */
  readonly pem: string | undefined
}

/** Throws `BadInput` (`bad-ca-bundle`) for a file that cannot be read or contains no certificate. */
export async function loadCaBundle(file: string | undefined): Promise<CaBundle> {
  if (file === undefined) return { files: new Map(), environment: {}, pem: undefined }
  let pem: string
  try {
    pem = await readFile(file, 'utf8')
  } catch (error) {
    throw new BadInput('bad-ca-bundle', `The CA bundle ${file} cannot be read: ${messageOf(error)}.`, { cause: error })
  }
  if (!pem.includes('-----BEGIN CERTIFICATE-----'))
    throw new BadInput('bad-ca-bundle', `${file} contains no certificate: ca-bundle must name a PEM file.`)
  return {
    files: new Map([[PATH_IN_CONTAINER, pem]]),
    environment: Object.fromEntries(VARIABLES.map((variable) => [variable, PATH_IN_CONTAINER])),
    pem,
  }
}

import { readFile } from 'node:fs/promises'
import { BadInput, messageOf } from '../base/errors.js'

/** Where stagers find it, in their root and in /stagerfs. */
const PATH_IN_CONTAINER = '/etc/ssl/stagerd-ca.pem'

/** The variables by which the programs that stagers run are told where to look; there is no common one. */
const VARIABLES = [
  'SSL_CERT_FILE',
  'CURL_CA_BUNDLE',
  'GIT_SSL_CAINFO',
  'NODE_EXTRA_CA_CERTS',
  'PIP_CERT',
  'REQUESTS_CA_BUNDLE',
  'npm_config_cafile',
]

/** What stagers get on a host that trusts a private certificate authority; nothing on any other. */
export interface CaBundle {
  readonly files: ReadonlyMap<string, string>
  readonly environment: Readonly<Record<string, string>>
}

/** Throws `BadInput` (`bad-ca-bundle`) for a file that holds no certificate. */
export async function loadCaBundle(file: string | undefined): Promise<CaBundle> {
  if (file === undefined) return { files: new Map(), environment: {} }
  let pem: string
  try {
    pem = await readFile(file, 'utf8')
  } catch (error) {
    throw new BadInput('bad-ca-bundle', `The CA bundle ${file} cannot be read: ${messageOf(error)}.`, { cause: error })
  }
  if (!pem.includes('-----BEGIN CERTIFICATE-----'))
    throw new BadInput('bad-ca-bundle', `${file} holds no certificate: ca-bundle has to name a file in PEM.`)
  return {
    files: new Map([[PATH_IN_CONTAINER, pem]]),
    environment: Object.fromEntries(VARIABLES.map((variable) => [variable, PATH_IN_CONTAINER])),
  }
}

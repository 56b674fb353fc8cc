import { X509Certificate } from 'node:crypto'
import { open, readFile, type FileHandle } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import { BadInput } from '../base/errors.js'
import type { ControlAddress } from './settings/control-address.js'
import { unusablePath } from './unusable-path.js'

/** What the control address proves who it is with. */
export interface Certificate {
  readonly cert: string
  readonly key: string
  readonly expiresAt: Date
}

/** Others may not read the key, and only its owner may change it. A group, such as ssl-cert, may read it. */
const FORBIDDEN_MODE = 0o037

/**
 * Throws `BadInput`: `bad-tls-certificate`, `bad-tls-key` for a file that cannot be used, that does not belong to the
 * other, or that too many can read. No message has anything of the key.
 */
export async function readCertificate({ certificate, key: keyFile }: ControlAddress): Promise<Certificate> {
  const cert = await readPem(certificate)
  const key = await readKey(keyFile)
  const { validToDate, publicKey } = parseCertificate(certificate, cert)
  try {
    createSecureContext({ cert, key })
  } catch (error) {
    throw new BadInput(
      'bad-tls-key',
      `${keyFile} is not the key of the certificate ${certificate}: give tls-key the ${publicKey.asymmetricKeyType ?? ''} key in PEM that belongs to it, without a passphrase.`,
      { cause: error },
    )
  }
  return { cert, key, expiresAt: validToDate }
}

async function readPem(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const remedy = 'give tls-certificate the path of a PEM file'
    throw unusablePath(error, { code: 'bad-tls-certificate', what: 'The certificate', path: file, remedy })
  }
}

function parseCertificate(file: string, pem: string): { validToDate: Date; publicKey: X509Certificate['publicKey'] } {
  try {
    const { validTo, publicKey } = new X509Certificate(pem)
    return { validToDate: new Date(validTo), publicKey }
  } catch (error) {
    throw new BadInput(
      'bad-tls-certificate',
      `${file} has no certificate in PEM: give tls-certificate the certificate of this host, followed by those that lead to its authority.`,
      { cause: error },
    )
  }
}

async function readKey(file: string): Promise<string> {
  let handle: FileHandle | undefined
  try {
    handle = await open(file)
    const { mode } = await handle.stat()
    if ((mode & FORBIDDEN_MODE) !== 0)
      throw new BadInput(
        'bad-tls-key',
        `The key ${file} has mode ${(mode & 0o777).toString(8)}, with which others than its owner can read or change it: set it with chmod 600.`,
      )
    return await handle.readFile('utf8')
  } catch (error) {
    const remedy = 'give tls-key the path of a PEM file'
    throw unusablePath(error, { code: 'bad-tls-key', what: 'The key', path: file, remedy })
  } finally {
    await handle?.close()
  }
}

/** For the log and for `node doctor`; undefined while there is time. */
export function expiryWarning({ expiresAt }: Pick<Certificate, 'expiresAt'>, now = new Date()): string | undefined {
  const days = Math.floor((expiresAt.getTime() - now.getTime()) / 86_400_000)
  if (days >= 14) return undefined
  const when = days < 0 ? 'expired' : 'expires'
  return `the certificate of the control address ${when} at ${expiresAt.toISOString()}: renew it, and have stagerd read it again`
}

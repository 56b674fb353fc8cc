import { X509Certificate } from 'node:crypto'
import { open, readFile, type FileHandle } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import { BadInput } from '../base/errors.js'
import { unusablePath } from './unusable-path.js'

/** What an address proves who it is with. */
export interface Certificate {
  readonly cert: string
  readonly key: string
  readonly expiresAt: Date
}

/** Others may not read the key, and only its owner may change it. A group, such as ssl-cert, may read it. */
const FORBIDDEN_MODE = 0o037

/** Paths of PEM files. */
export interface CertificateFiles {
  readonly certificate: string
  readonly key: string
}

/** Whose they are: the settings `tls-certificate` and `tls-key`, or those that begin with `node-`. */
export type Owner = 'tls' | 'node'

/**
 * Throws `BadInput`: `bad-tls-certificate`, `bad-tls-key`, `bad-node-certificate`, `bad-node-key` for a file that cannot be
 * used, that does not belong to the other, or that too many can read. No message has anything of the key.
 */
export async function readCertificate(
  { certificate, key: keyFile }: CertificateFiles,
  owner: Owner = 'tls',
): Promise<Certificate> {
  const cert = await readPem(certificate, `${owner}-certificate`)
  const key = await readKey(keyFile, owner)
  const { validToDate, publicKey } = parseCertificate(certificate, cert, owner)
  try {
    createSecureContext({ cert, key })
  } catch (error) {
    throw new BadInput(
      `bad-${owner}-key`,
      `${keyFile} is not the key of the certificate ${certificate}: give ${owner}-key the ${publicKey.asymmetricKeyType ?? ''} key in PEM that belongs to it, without a passphrase.`,
      { cause: error },
    )
  }
  return { cert, key, expiresAt: validToDate }
}

/** @param setting that names the file */
export async function readPem(file: string, setting: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const remedy = `give ${setting} the path of a PEM file`
    throw unusablePath(error, { code: `bad-${setting}`, what: 'The certificate', path: file, remedy })
  }
}

function parseCertificate(
  file: string,
  pem: string,
  owner: Owner,
): { validToDate: Date; publicKey: X509Certificate['publicKey'] } {
  try {
    const { validTo, publicKey } = new X509Certificate(pem)
    return { validToDate: new Date(validTo), publicKey }
  } catch (error) {
    throw new BadInput(
      `bad-${owner}-certificate`,
      `${file} has no certificate in PEM: give ${owner}-certificate the certificate of this host, followed by those that lead to its authority.`,
      { cause: error },
    )
  }
}

async function readKey(file: string, owner: Owner): Promise<string> {
  let handle: FileHandle | undefined
  try {
    handle = await open(file)
    const { mode } = await handle.stat()
    if ((mode & FORBIDDEN_MODE) !== 0)
      throw new BadInput(
        `bad-${owner}-key`,
        `The key ${file} has mode ${(mode & 0o777).toString(8)}, with which others than its owner can read or change it: set it with chmod 600.`,
      )
    return await handle.readFile('utf8')
  } catch (error) {
    const remedy = `give ${owner}-key the path of a PEM file`
    throw unusablePath(error, { code: `bad-${owner}-key`, what: 'The key', path: file, remedy })
  } finally {
    await handle?.close()
  }
}

export type ServedWithTls = 'control address' | 'node address'

/** For the log; undefined while there is time. */
export function expiryWarning(
  { expiresAt }: Pick<Certificate, 'expiresAt'>,
  what: ServedWithTls,
  now = new Date(),
): string | undefined {
  const days = Math.floor((expiresAt.getTime() - now.getTime()) / 86_400_000)
  if (days >= 14) return undefined
  const when = days < 0 ? 'expired' : 'expires'
  return `the certificate of the ${what} ${when} at ${expiresAt.toISOString()}: renew it, and have stagerd read it again`
}

import { readFile } from 'node:fs/promises'
import { rootCertificates, type ConnectionOptions } from 'node:tls'
import { BadInput, messageOf, Unavailable } from '../../../base/errors.js'
import { readPrivate } from '../../../base/read-private.js'
import type { PostgresOptions } from './database.js'

export interface PostgresServerSettings {
  /** Each a name, an address, or the directory of a Unix socket. */
  readonly hosts: readonly string[]
  /** One for all hosts, or one for each. */
  readonly ports: readonly number[]
  readonly name: string
  readonly user: string
  /** A file. */
  readonly password: string | undefined
  readonly tls: 'verify-full' | 'verify-ca' | 'require' | 'disable'
  /** Files, in PEM. */
  readonly authorities: string | undefined
  readonly certificate: string | undefined
  readonly key: string | undefined
  readonly connections: number
}

/**
 * How to connect, of the settings. Nothing is left to the variables of the environment that `pg` looks at: `PGPASSWORD`,
 * `PGSSLMODE` and others. They are removed from this process, because it also looks at those for which an empty option stands:
 * `PGOPTIONS` would lead to another schema.
 *
 * Messages repeat nothing of the content of files. Throws `BadInput` (`bad-settings`).
 *
 * @param authorities certificates that are trusted beside those of Node.js, in PEM, unless the settings name others
 */
export async function connectionOf(
  settings: PostgresServerSettings,
  authorities: string | undefined,
): Promise<PostgresOptions> {
  for (const name of Object.keys(process.env)) if (/^PG[A-Z]/.test(name)) Reflect.deleteProperty(process.env, name)
  const { hosts, ports, name: database, user, connections: max, password: file } = settings
  if (ports.length !== 1 && ports.length !== hosts.length)
    throw new BadInput(
      'bad-settings',
      `There are ${ports.length} ports in postgresql-port for ${hosts.length} in postgresql-host: give one port for all, or one for each.`,
    )
  if (file !== undefined) await readPassword(file)
  // Never undefined: the library would look for one elsewhere.
  const password = async () => {
    if (file === undefined) return ''
    // What was right at the start, and is not any more, is no fault of a request.
    return await readPassword(file).catch((cause: unknown) => {
      throw new Unavailable('postgresql-refused', messageOf(cause), { cause })
    })
  }
  const [first, ...others] = await Promise.all(
    hosts.map(async (host, index) => ({
      ...{ host, port: ports[index] ?? ports[0] },
      ssl: await tlsOf(host, settings, authorities),
    })),
  )
  return { ...first, others, database, user, max, password }
}

async function tlsOf(
  host: string,
  { tls, authorities: caFile, certificate, key }: PostgresServerSettings,
  authorities: string | undefined,
): Promise<ConnectionOptions | false> {
  if ((certificate === undefined) !== (key === undefined))
    throw new BadInput('bad-settings', 'Set both postgresql-certificate and postgresql-key, or neither.')
  // PostgreSQL has no TLS on a Unix socket.
  if (tls === 'disable' || host.startsWith('/')) return false
  const given = caFile === undefined ? undefined : await readPem(caFile, 'authorities of PostgreSQL')
  const ca = given ?? (authorities === undefined ? undefined : [...rootCertificates, authorities])
  return {
    // For an address, which no server name can be, the library would compare the certificate with "localhost".
    host,
    rejectUnauthorized: tls !== 'require',
    ...(tls === 'verify-ca' ? { checkServerIdentity: () => undefined } : {}),
    ...(ca === undefined ? {} : { ca }),
    ...(certificate === undefined ? {} : { cert: await readPem(certificate, 'certificate for PostgreSQL') }),
    ...(key === undefined ? {} : { key: (await readPrivate(key, 'key for PostgreSQL')).toString() }),
  }
}

async function readPassword(file: string): Promise<string> {
  const text = (await readPrivate(file, 'password of PostgreSQL')).toString().replace(/\r?\n$/, '')
  if (text === '' || /[\r\n\0]/.test(text))
    throw new BadInput('bad-settings', `${file} must have one line: the password of PostgreSQL.`)
  return text
}

async function readPem(file: string, what: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new BadInput('bad-settings', `The ${what} cannot be read: ${messageOf(error)}.`, { cause: error })
  })
  if (!text.includes('-----BEGIN CERTIFICATE-----'))
    throw new BadInput('bad-settings', `${file} contains no certificate: it must be a PEM file with the ${what}.`)
  return text
}

import { BadInput, errnoOf, Fault, messageOf, StagerdError, Unavailable } from '../../../base/errors.js'

/** Serialisation failures and deadlocks, which go away when the transaction is run again. */
const CONFLICT = /^(?:40001|40P01)$/

/**
 * Violations of keys. What a key forbids is looked for before it is written, so that two transactions have met: the second
 * run of this one sees what the other one has written, and says so.
 */
const MET = /^23(?:505|503)$/

/** The server is not there, is starting, or has closed the connection; and the same of the network. */
const UNREACHABLE = /^(?:08...|57P0.|E(?:CONN|HOST|NET|TIMEDOUT|PIPE|NOENT|ACCES|AI_|NOTFOUND).*)$/

export function isConflict(error: unknown): boolean {
  const code = errnoOf(error) ?? ''
  return CONFLICT.test(code) || MET.test(code)
}

/** The server has become a standby, perhaps: another connection may lead to the primary. */
export const READ_ONLY = '25006'

/** Whether the server has answered, so that the connection can go on with the next statement. */
export function isAnswer(error: unknown): boolean {
  return error instanceof Error && 'severity' in error
}

/** Another node has added a column: what this connection has prepared before does not fit any more. */
export function isStale(error: unknown): error is Error {
  return errnoOf(error) === '0A000'
}

export function isReadOnly(error: unknown): error is Error {
  return errnoOf(error) === READ_ONLY
}

/** `error`, or what it means to a caller if it is one of PostgreSQL or of the connection to it. */
export function asDatabaseError(error: unknown): unknown {
  if (error instanceof StagerdError || !(error instanceof Error)) return error
  const code = errnoOf(error)
  const options = { cause: error }
  const refusal = refusalOf(error.message, code)
  if (refusal !== undefined) return new Unavailable('postgresql-refused', refusal, options)
  if (code === undefined)
    return /^(?:Connection terminated|timeout|Query read timeout|Client has encountered|Cannot use a pool|Client was closed)/.test(
      error.message,
    )
      ? new Unavailable('database-unreachable', unreachable(error.message), options)
      : error
  if (CONFLICT.test(code))
    return new Unavailable(
      'database-busy',
      'Too many others changed the same at once: try again, or submit less at a time.',
      options,
    )
  if (UNREACHABLE.test(code))
    return new Unavailable('database-unreachable', unreachable(`${error.message} (${code})`), options)
  if (code === '53100')
    return new Unavailable('disk-full', 'The disk of PostgreSQL is full: free some space there and try again.', options)
  if (code === READ_ONLY)
    return new Unavailable(
      'postgresql-read-only',
      'PostgreSQL takes no changes: it is a standby, or default_transaction_read_only is on. Name the primary with postgresql-host, also as one of several.',
      options,
    )
  if (code.startsWith('53'))
    return new Unavailable('database-busy', `PostgreSQL has no room for this now: ${error.message} (${code}).`, options)
  if (code === '22021' || code === '22P05')
    return new BadInput(
      'invalid-text',
      'A text has a NUL character, which PostgreSQL does not keep: leave it out.',
      options,
    )
  return /^[0-9A-Z]{5}$/.test(code)
    ? new Fault('database-failed', `The database failed: ${messageOf(error)} (${code}).`, options)
    : error
}

/** Of Node.js and OpenSSL, about the certificate of a server. */
const CERTIFICATE =
  /^(?:CERT_|ERR_TLS_CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH)/

/** Why the server, or this node, does not want the connection, and what would be right. */
function refusalOf(message: string, code: string | undefined): string | undefined {
  const why = message.replace(/\.$/, '')
  if (code === '28P01' || /^SASL: .*password/.test(message))
    return 'PostgreSQL refuses the password of the role: put the right one into the file that postgresql-password names.'
  if (code?.startsWith('28'))
    return `PostgreSQL does not let this role in: ${why}. Look at postgresql-user, and at pg_hba.conf of the server.`
  if (code === '3D000') return `PostgreSQL has no such database: ${why}. Create it, or look at postgresql-database.`
  if (code === '42501')
    return `PostgreSQL does not permit the role what it needs: ${why}. Make it the owner of the database.`
  if (/does not support SSL/.test(message))
    return 'PostgreSQL has no TLS at this address: turn it on there (ssl = on), or set postgresql-tls to disable.'
  if (/^received invalid response|error establishing an SSL connection/.test(message))
    return 'What answers there is not PostgreSQL: look at postgresql-host and postgresql-port.'
  if (/^(?:EPROTO|ERR_SSL_)/.test(code ?? ''))
    return `TLS with PostgreSQL fails: ${why}. Look at ssl_min_protocol_version of the server, and at postgresql-certificate.`
  if (CERTIFICATE.test(code ?? ''))
    return `The certificate of PostgreSQL is not trusted: ${why} (${code ?? ''}). Name its authority with postgresql-ca, and its name with postgresql-host.`
  return undefined
}

/** Of a connection that was not made, so that nothing was under way. */
const NOT_MADE = /ECONNREFUSED|EHOST|ENET|ENOENT|EACCES|EAI_|ENOTFOUND|57P03|when trying to connect/

function unreachable(why: string): string {
  return NOT_MADE.test(why)
    ? `PostgreSQL cannot be reached: ${why}. Look at postgresql-host, and whether the server runs.`
    : `The connection to PostgreSQL was lost: ${why}. What was under way may have been stored or not: look, then try again.`
}

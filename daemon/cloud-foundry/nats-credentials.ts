import {
  credsAuthenticator,
  nkeyAuthenticator,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
  type Authenticator,
} from '@nats-io/transport-node'
import { readFile } from 'node:fs/promises'
import { BadInput, messageOf } from '../../base/errors.js'

/**
 * How to log in at NATS with what a file has: `USER:PASSWORD`, a token, the seed of an NKey (`SU…`), or a credentials file
 * of NATS, which has a JWT and such a seed. Undefined without a file.
 *
 * Messages repeat nothing of the content. Throws `BadInput` (`bad-settings`).
 */
export async function readNatsCredentials(file: string | undefined): Promise<Authenticator | undefined> {
  if (file === undefined) return undefined
  let text: string
  try {
    text = (await readFile(file, 'utf8')).trim()
  } catch (error) {
    throw new BadInput('bad-settings', `The credentials for NATS cannot be read: ${messageOf(error)}.`, {
      cause: error,
    })
  }
  const authenticator = authenticatorOf(text)
  if (!authenticator || !canSign(authenticator))
    throw new BadInput(
      'bad-settings',
      `${file} must have one line, USER:PASSWORD, a token or the seed of an NKey, or be a credentials file of NATS.`,
    )
  return authenticator
}

/** Whether a key of it, if there is one, is one. */
function canSign(authenticator: Authenticator): boolean {
  try {
    authenticator('a nonce')
    return true
  } catch {
    return false
  }
}

function authenticatorOf(text: string): Authenticator | undefined {
  if (/^-----BEGIN NATS USER JWT-----/m.test(text)) return credsAuthenticator(Buffer.from(`${text}\n`))
  if (text === '' || text.includes('\n')) return undefined
  if (/^SU[A-Z2-7]{56}$/.test(text)) return nkeyAuthenticator(Buffer.from(text))
  const colon = text.indexOf(':')
  return colon < 0
    ? tokenAuthenticator(text)
    : usernamePasswordAuthenticator(text.slice(0, colon), text.slice(colon + 1))
}

import { BadInput } from '../../base/errors.js'
import type { Io } from '../terminal/io.js'
import { readPrivateFile } from './private-file.js'

const TOKEN = /^stagerd_[A-Za-z0-9_-]{43}$/

/** The token in STAGERD_TOKEN, or in the file of a context. No message shows it. */
export function findToken(env: Io['env'], tokenFile: string | undefined): string | undefined {
  const given = env['STAGERD_TOKEN']?.trim() ?? ''
  if (given !== '') return tokenOf(given, 'STAGERD_TOKEN')
  if (tokenFile === undefined) return undefined
  const remedy = 'give the context another one with `stagectl context add`'
  return tokenOf(readPrivateFile(tokenFile, remedy), tokenFile)
}

/** Throws `BadInput` (`bad-token`). */
export function tokenOf(text: string, source: string): string {
  const token = text.trim()
  if (!TOKEN.test(token))
    throw new BadInput(
      'bad-token',
      `${source} has no token: a token begins with stagerd_, and 43 letters, digits, - or _ follow.`,
    )
  return token
}

import { existsSync } from 'node:fs'
import { writeDurably } from '../../base/durable-directory.js'
import { Conflict } from '../../base/errors.js'
import { readSecretsKey } from '../secrets/secrets-key.js'

export interface KeyPlace {
  /** The file of the settings. */
  readonly given: string | undefined
  /** The file that stagerd makes otherwise. */
  readonly own: string
}

/**
 * Sees to it that secrets, which are moved as they are sealed, can be opened by the other node: it gets the key unless it has one.
 *
 * Throws `Conflict` (`secrets-key-differs`), and what `readSecretsKey` throws.
 */
export async function carrySecretsKey(from: KeyPlace, to: KeyPlace): Promise<void> {
  // Nothing was ever sealed.
  if (from.given === undefined && !existsSync(from.own)) return
  const key = await readSecretsKey(from.given, from.own)
  if (to.given === undefined && !existsSync(to.own)) await writeDurably(to.own, key, 0o600)
  if (!key.equals(await readSecretsKey(to.given, to.own)))
    throw new Conflict(
      'secrets-key-differs',
      `${to.given ?? to.own} is another key than ${from.given ?? from.own}, and could not open the secrets that are moved: give both nodes the same one, with secrets-key.`,
    )
}

import type { ImageConfig } from '../../isolation/isolation.js'
import { BadInput } from '../../base/errors.js'
import { assertEnvironmentKey, assertEnvironmentValue } from '../packages/validate.js'

/** A word that needs no quoting in a shell. */
const PLAIN_WORD = /^[A-Za-z0-9_@%+=:,./-]+$/

/**
 * The run configuration of an image as the environment of a package. Drops variables that are not valid in a package,
 * for example because a shell cannot name them.
 */
export function environmentOfImage(config: ImageConfig): Readonly<Record<string, string>> {
  const { environment, workingDirectory, entrypoint, command } = config
  const entries = environment.map((entry): [string, string] => {
    const equals = entry.indexOf('=')
    return equals < 0 ? [entry, ''] : [entry.slice(0, equals), entry.slice(equals + 1)]
  })
  const words = [...entrypoint, ...command]
  if (workingDirectory !== '') entries.push(['START_PATH', workingDirectory])
  if (words.length > 0) entries.push(['START_COMMAND', words.map(shellWord).join(' ')])
  return Object.fromEntries(entries.filter(([key, value]) => isAllowed(key, value)))
}

function isAllowed(key: string, value: string): boolean {
  try {
    assertEnvironmentKey(key)
    assertEnvironmentValue(key, value)
    return true
  } catch (error) {
    if (error instanceof BadInput) return false
    throw error
  }
}

/** Quotes a word, because START_COMMAND is shell code and the command of an image is not. */
function shellWord(word: string): string {
  return PLAIN_WORD.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`
}

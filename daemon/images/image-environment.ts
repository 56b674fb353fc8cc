import type { ImageConfig } from '../../isolation/isolation.js'
import { BadInput } from '../../base/errors.js'
import { assertEnvironmentKey, assertEnvironmentValue } from '../packages/validate.js'

/** What a shell passes on as it stands. */
const PLAIN_WORD = /^[A-Za-z0-9_@%+=:,./-]+$/

/**
 * How an image is run, as the environment of a package. Variables that no package can have, because a shell could not
 * name them, are left out.
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

/** START_COMMAND is shell, and the words of an image are not. */
function shellWord(word: string): string {
  return PLAIN_WORD.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`
}

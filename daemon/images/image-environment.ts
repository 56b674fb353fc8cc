import type { ImageConfig } from '../../isolation/image.js'
import { BadInput } from '../../base/errors.js'
import { assertEnvironmentKey, assertEnvironmentValue } from '../packages/validate.js'

/** A word that needs no quoting in a shell. */
const PLAIN_WORD = /^[A-Za-z0-9_@%+=:,./-]+$/

export interface ImageEnvironment {
  readonly variables: Readonly<Record<string, string>>
  /** The names of variables that a package cannot have. */
  readonly dropped: readonly string[]
}

/** The run configuration of an image as the environment of a package. */
export function environmentOfImage(config: Omit<ImageConfig, 'user' | 'exposed'>): ImageEnvironment {
  const { environment, workingDirectory, entrypoint, command } = config
  const entries = environment.map((entry): [string, string] => {
    const equals = entry.indexOf('=')
    return equals < 0 ? [entry, ''] : [entry.slice(0, equals), entry.slice(equals + 1)]
  })
  const words = [...entrypoint, ...command]
  if (workingDirectory !== '') entries.push(['START_PATH', workingDirectory])
  if (words.length > 0) entries.push(['START_COMMAND', words.map(shellWord).join(' ')])
  const [allowed, dropped] = [entries.filter(isAllowed), entries.filter((entry) => !isAllowed(entry))]
  return { variables: Object.fromEntries(allowed), dropped: dropped.map(([key]) => key) }
}

function isAllowed([key, value]: readonly [string, string]): boolean {
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

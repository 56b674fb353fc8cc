import { quote } from '../../base/fqn.js'
import { UsageError } from './usage-error.js'

/** Returns `text` if it is one of `choices`. Throws `UsageError`. */
export function parseChoice(text: string, what: string, choices: readonly string[]): string {
  if (!choices.includes(text))
    throw new UsageError(`${quote(text)} is not ${what}: write one of ${choices.join(', ')}.`)
  return text
}

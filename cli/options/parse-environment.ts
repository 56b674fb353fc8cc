import { quote } from '../../base/fqn.js'
import { isVariableName, VARIABLE_NAME_RULE } from '../../base/variable-name.js'
import { UsageError } from './usage-error.js'

export type Environment = Readonly<Record<string, string>>

/** Collects `KEY=VALUE` of each use of an option. The value may be empty or contain `=`. Throws `UsageError`. */
export function collectEnvironment(text: string, before: Environment | undefined): Environment {
  const equals = text.indexOf('=')
  const key = text.slice(0, equals)
  if (equals < 1)
    throw new UsageError(`${quote(text)} is not a variable: write KEY=VALUE, such as NODE_ENV=production.`)
  assertKey(key)
  return Object.fromEntries([...Object.entries(before ?? {}), [key, text.slice(equals + 1)]])
}

/** Collects the comma-separated variable names of each use of an option. Throws `UsageError`. */
export function collectKeys(text: string, before: readonly string[] | undefined): string[] {
  const keys = text.split(',')
  keys.forEach(assertKey)
  return [...(before ?? []), ...keys]
}

function assertKey(key: string): void {
  if (!isVariableName(key))
    throw new UsageError(`${quote(key)} cannot name an environment variable: ${VARIABLE_NAME_RULE}.`)
}

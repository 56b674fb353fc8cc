import { quote } from '../../base/fqn.js'
import { UsageError } from './usage-error.js'

const KEY = /^[A-Za-z_][A-Za-z0-9_]*$/

export type Environment = Readonly<Record<string, string>>

/** Collects `KEY=VALUE` of each use of an option. The value may be empty or contain `=`. Throws `UsageError`. */
export function collectEnvironment(text: string, before: Environment | undefined): Environment {
  const equals = text.indexOf('=')
  const key = text.slice(0, equals)
  if (equals < 0 || !KEY.test(key))
    throw new UsageError(`${quote(text)} is not a variable: write KEY=VALUE, such as NODE_ENV=production.`)
  return Object.fromEntries([...Object.entries(before ?? {}), [key, text.slice(equals + 1)]])
}

/** Collects the comma-separated variable names of each use of an option. Throws `UsageError`. */
export function collectKeys(text: string, before: readonly string[] | undefined): string[] {
  const keys = text.split(',')
  for (const key of keys)
    if (!KEY.test(key)) throw new UsageError(`${quote(key)} is not the name of a variable: write one such as NODE_ENV.`)
  return [...(before ?? []), ...keys]
}

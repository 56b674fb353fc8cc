import type { Command } from 'commander'
import { quote } from '../../base/fqn.js'
import { UsageError } from './usage-error.js'

/** Where the value of a secret is: never on the command line, which other users of the host can read. */
export interface SecretSource {
  readonly name: string
  /** `-` for standard input. Undefined for the variable of that name, or else standard input. */
  readonly file: string | undefined
}

export interface SecretOptions {
  readonly secret?: readonly SecretSource[]
}

export function addSecretOption(command: Command): Command {
  return command.option(
    '--secret <name[=file]>',
    'secret for the stagers that take it, from this file, from standard input with =-, or from the environment variable of ' +
      'that name, if there is one, and else from standard input; it is deleted when the staging ends (repeatable)',
    collectSecrets,
  )
}

function collectSecrets(text: string, before: readonly SecretSource[] = []): SecretSource[] {
  const source = parseSecretSource(text)
  if (before.some(({ name }) => name === source.name))
    throw new UsageError(`The secret ${quote(source.name)} is given twice: give it once.`)
  if (before.some(({ file }) => file === '-') && source.file === '-')
    throw new UsageError('Standard input can be the value of one secret only: give the others as files.')
  return [...before, source]
}

/** Throws `UsageError`. */
export function parseSecretSource(text: string): SecretSource {
  const equals = text.indexOf('=')
  const [name, file] = equals < 0 ? [text, undefined] : [text.slice(0, equals), text.slice(equals + 1)]
  if (name === '' || file === '')
    throw new UsageError('A secret lacks its name or its file: write NAME, or NAME=FILE, such as NPM_TOKEN=token.txt.')
  return { name, file }
}

/** Collects the comma-separated names of each use of an option. The daemon has the rule for names. Throws `UsageError`. */
export function collectSecretNames(text: string, before: readonly string[] = []): string[] {
  const names = text.split(',').filter((name) => name !== '')
  const value = names.find((name) => name.includes('='))
  if (names.length === 0 || value !== undefined)
    throw new UsageError('These are names of secrets, without values: write NAME, or NAME,NAME.')
  return [...before, ...names]
}

import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { isVariableName, VARIABLE_NAME_RULE } from '../../base/variable-name.js'
import { textBelowRoot } from '../../isolation/path-rules.js'
import { CAPABILITY_TYPES, type Capability, type PackageMetadata, type Template } from './metadata.js'

/** Allow-lists for metadata from users and stagers: it reaches messages, paths and process environments. */

const CAPABILITY_NAME = /^[^\p{Control}\p{White_Space}\p{Surrogate}]{1,255}$/u
const USER = /^[A-Za-z_][A-Za-z0-9_-]{0,31}$/
const CONTROL = /[\u0000-\u001f\u007f]/

/**
 * Linux limits a string of execve to 128 KiB. A longer KEY=VALUE could be stored, but no process could start with it.
 */
const MAX_ENVIRONMENT_VALUE_BYTES = 96 * 1024

/** Throws `BadInput` (`bad-capability`) unless `capability` is valid in provides and dependencies. */
export function assertCapability(capability: Capability): void {
  if (!(CAPABILITY_TYPES as readonly string[]).includes(capability.type))
    throw new BadInput(
      'bad-capability',
      `${quote(capability.type)} is not a type of provides or dependencies: use one of ${CAPABILITY_TYPES.join(', ')}.`,
    )
  if (!CAPABILITY_NAME.test(capability.name))
    throw new BadInput(
      'bad-capability',
      `${quote(capability.name)} is not a name in provides or dependencies: a name has 1 to 255 printable characters without spaces.`,
    )
}

/** Throws `BadInput` (`bad-environment-key`) unless `key` is a valid name of a variable. */
export function assertEnvironmentKey(key: string): void {
  if (!isVariableName(key))
    throw new BadInput(
      'bad-environment-key',
      `${quote(key)} cannot name an environment variable: ${VARIABLE_NAME_RULE}.`,
    )
}

/** Throws `BadInput` (`bad-environment-value`) for a value that no process can receive. */
export function assertEnvironmentValue(key: string, value: string): void {
  if (value.includes('\0'))
    throw new BadInput('bad-environment-value', `The value of ${quote(key)} must not contain a NUL character.`)
  if (Buffer.byteLength(value) > MAX_ENVIRONMENT_VALUE_BYTES)
    throw new BadInput('bad-environment-value', `The value of ${quote(key)} must not be longer than 96 KiB.`)
}

export function assertEnvironment(environment: Readonly<Record<string, string>>): void {
  for (const [key, value] of Object.entries(environment)) {
    assertEnvironmentKey(key)
    assertEnvironmentValue(key, value)
  }
}

/**
 * `template` with its path from the root, without a slash at the beginning. Throws `BadInput` (`bad-template`) unless the
 * path names a file in the package and both delimiters are valid.
 */
export function canonicalTemplate(template: Template): Template {
  const { path, left_delimiter: left, right_delimiter: right } = template
  const refuse = (why: string): never => {
    throw new BadInput('bad-template', `${quote(path)} is not a path of a template, such as app/config.yml: ${why}.`)
  }
  if (CONTROL.test(path)) refuse('it has a control character')
  if (path.endsWith('/')) refuse('it names a directory; name a file')
  for (const delimiter of [left, right]) assertDelimiter(delimiter, path)
  return { ...template, path: textBelowRoot(path, refuse) }
}

/** Throws `BadInput` (`bad-template`). */
export function assertDelimiter(delimiter: string, path: string): void {
  if (delimiter === '' || delimiter.length > 32 || CONTROL.test(delimiter))
    throw new BadInput(
      'bad-template',
      `${quote(delimiter)} is not a delimiter for ${quote(path)}: a delimiter has 1 to 32 printable characters, such as {{.`,
    )
}

/** Validates those fields of the metadata that are given. */
export function assertMetadata(metadata: Partial<PackageMetadata>): void {
  metadata.dependencies?.forEach(assertCapability)
  metadata.provides?.forEach(assertCapability)
  metadata.templates?.forEach(canonicalTemplate)
  if (metadata.environment) assertEnvironment(metadata.environment)
}

/** Throws `BadInput` (`bad-user`) unless `user` is a valid user name; a numeric id is not. */
export function assertUser(user: string): void {
  if (!USER.test(user))
    throw new BadInput(
      'bad-user',
      `${quote(user)} is not a user name: a name has 1 to 32 letters, digits, _ or - and begins with a letter.`,
    )
}

/** Throws `BadInput` (`bad-command`) for a command that no process can receive. */
export function assertCommand(command: string): void {
  if (command.trim() === '') throw new BadInput('bad-command', 'The command must not be empty.')
  if (command.includes('\0')) throw new BadInput('bad-command', 'The command must not contain a NUL character.')
  if (Buffer.byteLength(command) > MAX_ENVIRONMENT_VALUE_BYTES)
    throw new BadInput('bad-command', 'The command must not be longer than 96 KiB: put it into a file of the package.')
}

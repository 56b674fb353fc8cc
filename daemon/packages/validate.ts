import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { CAPABILITY_TYPES, type Capability, type PackageMetadata, type Template } from './metadata.js'

/** Allow-lists for what people and stagers say of a package: it all reaches messages, paths or a process's environment. */

const CAPABILITY_NAME = /^[^\p{Control}\p{White_Space}\p{Surrogate}]{1,255}$/u
const USER = /^[A-Za-z_][A-Za-z0-9_-]{0,31}$/
const ENVIRONMENT_KEY = /^[A-Za-z_][A-Za-z0-9_]{0,254}$/
const CONTROL = /[\u0000-\u001f\u007f]/

/** An argument of execve may have 128 KiB on Linux: KEY=VALUE beyond it could be stored and never be run. */
const LONGEST_ENVIRONMENT_VALUE = 96 * 1024

/** Throws `BadInput` (`bad-capability`) unless `capability` may stand in provides or dependencies. */
export function assertCapability(capability: Capability): void {
  if (!(CAPABILITY_TYPES as readonly string[]).includes(capability.type))
    throw new BadInput(
      'bad-capability',
      `${quote(capability.type)} is not a type of provides or dependencies: it is one of ${CAPABILITY_TYPES.join(', ')}.`,
    )
  if (!CAPABILITY_NAME.test(capability.name))
    throw new BadInput(
      'bad-capability',
      `${quote(capability.name)} cannot be provided or depended on: a name has 1 to 255 printable characters without spaces.`,
    )
}

/** Throws `BadInput` (`bad-environment-key`) unless `key` may name a variable. */
export function assertEnvironmentKey(key: string): void {
  // `__proto__` fits the pattern, but as a key of a plain object it means something else in half of all programs.
  if (!ENVIRONMENT_KEY.test(key) || key === '__proto__')
    throw new BadInput(
      'bad-environment-key',
      `${quote(key)} cannot name an environment variable: a key has letters, digits or _ and does not begin with a digit.`,
    )
}

/** Throws `BadInput` (`bad-environment-value`) for a value that no process could be given. */
export function assertEnvironmentValue(key: string, value: string): void {
  if (value.includes('\0'))
    throw new BadInput(
      'bad-environment-value',
      `The value of ${key} holds a NUL character, which no environment can hold.`,
    )
  if (Buffer.byteLength(value) > LONGEST_ENVIRONMENT_VALUE)
    throw new BadInput(
      'bad-environment-value',
      `The value of ${key} is longer than the 96 KiB that a variable may have.`,
    )
}

export function assertEnvironment(environment: Readonly<Record<string, string>>): void {
  for (const [key, value] of Object.entries(environment)) {
    assertEnvironmentKey(key)
    assertEnvironmentValue(key, value)
  }
}

/** Throws `BadInput` (`bad-template`) unless the path stays inside the package and both delimiters delimit. */
export function assertTemplate(template: Template): void {
  const { path, left_delimiter: left, right_delimiter: right } = template
  if (
    path === '' ||
    path.length > 4096 ||
    path.startsWith('/') ||
    path.endsWith('/') ||
    CONTROL.test(path) ||
    path.split('/').includes('..')
  )
    throw new BadInput(
      'bad-template',
      `${quote(path)} is not a template's path: it is the relative path of a file in the package, without "..".`,
    )
  for (const delimiter of [left, right])
    if (delimiter === '' || delimiter.length > 32 || CONTROL.test(delimiter))
      throw new BadInput(
        'bad-template',
        `${quote(delimiter)} is not a delimiter for ${quote(path)}: a delimiter has 1 to 32 printable characters, such as {{.`,
      )
}

/** All of the above, for as much of a package's metadata as is given. */
export function assertMetadata(metadata: Partial<PackageMetadata>): void {
  metadata.dependencies?.forEach(assertCapability)
  metadata.provides?.forEach(assertCapability)
  metadata.templates?.forEach(assertTemplate)
  if (metadata.environment) assertEnvironment(metadata.environment)
}

/** Throws `BadInput` (`bad-user`) unless `user` may be the name of a user in /etc/passwd; numbers are none. */
export function assertUser(user: string): void {
  if (!USER.test(user))
    throw new BadInput(
      'bad-user',
      `${quote(user)} is not the name of a user: a name has 1 to 32 letters, digits, _ or - and begins with a letter.`,
    )
}

/** Throws `BadInput` (`bad-command`) for a command that no process could be given. */
export function assertCommand(command: string): void {
  if (command.trim() === '') throw new BadInput('bad-command', 'The command is empty: say what to start.')
  if (command.includes('\0')) throw new BadInput('bad-command', 'The command holds a NUL character.')
  if (Buffer.byteLength(command) > LONGEST_ENVIRONMENT_VALUE)
    throw new BadInput('bad-command', 'The command is longer than 96 KiB: put it into a file of the package.')
}

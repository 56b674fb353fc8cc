import { readFile } from 'node:fs/promises'
import { parse as parseToml, TomlError } from 'smol-toml'
import { BadInput, errnoOf, messageOf } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'

/**
 * The values of a TOML file, as text, by key. A file that does not exist is empty, unless it is `required`.
 *
 * Throws `BadInput`: `bad-settings-file` for a file that cannot be read or parsed, `bad-setting` for a key that is not in
 * `known` or a value that is neither a string nor a number.
 */
export async function readSettingsFile(
  file: string,
  required: boolean,
  known: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const content = await readContent(file, required)
  const found = new Map<string, string>()
  for (const [key, value] of Object.entries(parseContent(file, content))) {
    if (!known.includes(key))
      throw new BadInput(
        'bad-setting',
        `${quote(key)} in ${file} is not a setting: the settings are ${known.join(', ')}.`,
      )
    if (typeof value !== 'string' && typeof value !== 'number')
      throw new BadInput('bad-setting', `${key} in ${file} must be a string or a number.`)
    found.set(key, String(value))
  }
  return found
}

async function readContent(file: string, required: boolean): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' && !required) return ''
    throw new BadInput('bad-settings-file', `The settings file ${file} cannot be read: ${messageOf(error)}.`, {
      cause: error,
    })
  }
}

function parseContent(file: string, content: string): Record<string, unknown> {
  try {
    return parseToml(content)
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    // The message goes on with the lines of the file, which may contain a password.
    const [what = ''] = error.message.split('\n')
    throw new BadInput(
      'bad-settings-file',
      `Line ${error.line} of ${file}, at column ${error.column}, is not valid TOML: ${what.replace('Invalid TOML document: ', '')}.`,
    )
  }
}

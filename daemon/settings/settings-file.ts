import { readFile } from 'node:fs/promises'
import { parse as parseToml, TomlError } from 'smol-toml'
import { BadInput, errnoOf, messageOf } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { lineOfKey } from '../../base/line-of-key.js'

export interface FoundSetting {
  readonly text: string
  /** "line 7 of /etc/stagerd/stagerd.toml" */
  readonly place: () => string
}

/**
 * The values of a TOML file, as text, by key. A file that does not exist is empty, unless it is `required`.
 *
 * Throws `BadInput`: `bad-settings-file` for a file that cannot be read or parsed, `bad-setting` for a key that is not in
 * `known` or a value that is neither a string nor a number.
 *
 * @param known the keys, with what is expected for each
 */
export async function readSettingsFile(
  file: string,
  required: boolean,
  known: ReadonlyMap<string, string>,
): Promise<ReadonlyMap<string, FoundSetting>> {
  const content = await readContent(file, required)
  const found = new Map<string, FoundSetting>()
  for (const [key, value] of Object.entries(parseContent(file, content))) {
    const place = () => `line ${lineOfKey(content, key)} of ${file}`
    const expected = known.get(key)
    if (expected === undefined)
      throw new BadInput(
        'bad-setting',
        `${quote(key)} in ${place()} is not a setting: the settings are ${[...known.keys()].join(', ')}.`,
      )
    if (typeof value !== 'string' && typeof value !== 'number')
      throw new BadInput(
        'bad-setting',
        `${key} in ${place()} is ${kindOf(value)}, but must be a string or a number: ${expected}.`,
      )
    found.set(key, { text: String(value), place })
  }
  return found
}

function kindOf(value: unknown): string {
  if (typeof value === 'boolean') return String(value)
  if (Array.isArray(value)) return 'an array'
  return value instanceof Date ? 'a date' : 'a table'
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

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
 * The values of a TOML file, as text, by key. A table stands for the begin of its keys: `nats` in `[cloud-foundry]` is
 * `cloud-foundry-nats`. In names, `_` is read as `-`. A file that does not exist is empty, unless it is `required`.
 *
 * Throws `BadInput`: `bad-settings-file` for a file that cannot be read or parsed, `bad-setting` for a key that is not in
 * `known` or is there twice, or a value that is neither a string nor a number.
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
  for (const { names, value } of valuesOf(parseContent(file, content), known)) {
    const key = keyOf(names)
    const place = () => `line ${lineOfKey(content, ...names)} of ${file}`
    const expected = known.get(key)
    const other = found.get(key)
    if (other)
      throw new BadInput('bad-setting', `${key} is in ${other.place()} and in ${place()}: leave out one of them.`)
    if (expected === undefined) throw new BadInput('bad-setting', notKnown(names, place(), known))
    if (typeof value !== 'string' && typeof value !== 'number')
      throw new BadInput(
        'bad-setting',
        `${key} in ${place()} is ${kindOf(value)}, but must be a string or a number: ${expected}.`,
      )
    found.set(key, { text: String(value), place })
  }
  return found
}

interface Value {
  /** Of the tables around it, and its own. */
  readonly names: readonly string[]
  readonly value: unknown
}

/** A table is one of settings if the name of any begins with its name. */
function valuesOf(
  table: Readonly<Record<string, unknown>>,
  known: ReadonlyMap<string, string>,
  tables: readonly string[] = [],
): readonly Value[] {
  return Object.entries(table).flatMap(([name, value]) => {
    const names = [...tables, name]
    const begin = `${keyOf(names)}-`
    return isTable(value) && [...known.keys()].some((key) => key.startsWith(begin))
      ? valuesOf(value, known, names)
      : [{ names, value }]
  })
}

/** Other programs, and the older staging service, write such names with underscores. */
function keyOf(names: readonly string[]): string {
  return names.join('-').replaceAll('_', '-')
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
}

function notKnown(names: readonly string[], place: string, known: ReadonlyMap<string, string>): string {
  const name = names.at(-1) ?? ''
  const table = names.slice(0, -1).join('.')
  if (table === '')
    return `${quote(name)} in ${place} is not a setting: the settings are ${[...known.keys()].join(', ')}.`
  const begin = `${keyOf(names.slice(0, -1))}-`
  const those = [...known.keys()].filter((key) => key.startsWith(begin)).map((key) => key.slice(begin.length))
  const remedy = known.has(name) ? `write ${name} above the first table` : `those of [${table}] are ${those.join(', ')}`
  return `${quote(name)} in ${place} is not a setting of the table [${table}]: ${remedy}.`
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

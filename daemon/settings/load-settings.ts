import { BadInput, messageOf } from '../../base/errors.js'
import {
  DEFINITIONS,
  isDefinition,
  listDefinitions,
  type Definition,
  type DefinitionTree,
  type Settings,
} from './settings.js'
import { readSettingsFile } from './settings-file.js'

export interface SettingSources {
  /** As given on the command line, by key in camel case. */
  readonly flags: Readonly<Record<string, string | undefined>>
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Path of a TOML file. */
  readonly file: string
  /** Whether a missing file is an error: it is when the user named it. */
  readonly fileIsRequired: boolean
}

/**
 * A flag overrides the environment (`STAGERD_*`), which overrides the file, which overrides the default.
 *
 * Throws `BadInput` (`bad-setting`, `bad-settings-file`). The message names the setting, the source of its value, and
 * what is allowed.
 */
export async function loadSettings({ flags, environment, file, fileIsRequired }: SettingSources): Promise<Settings> {
  const keys = listDefinitions().map(({ key }) => key)
  const fromFile = await readSettingsFile(file, fileIsRequired, keys)

  const read = ({ key, default: defaultValue, parse }: Definition<unknown>): unknown => {
    const variable = variableOf(key)
    const [source, text] = firstGiven([
      [`--${key}`, flags[camelCase(key)]],
      [variable, environment[variable]],
      [`${key} in ${file}`, fromFile.get(key)],
    ]) ?? [`the default of ${key}`, defaultValue]
    try {
      return parse(text)
    } catch (error) {
      throw new BadInput('bad-setting', `${source}: ${messageOf(error)}.`, { cause: error })
    }
  }
  const readAll = (tree: DefinitionTree): unknown =>
    isDefinition(tree)
      ? read(tree)
      : Object.fromEntries(Object.entries(tree).map(([name, child]) => [name, readAll(child)]))

  // By the definition of the type.
  return readAll(DEFINITIONS) as Settings
}

function variableOf(key: string): string {
  return `STAGERD_${key.toUpperCase().replaceAll('-', '_')}`
}

/** As commander names the flag of a key. */
function camelCase(key: string): string {
  return key.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

type Candidate = readonly [source: string, text: string | undefined]

function firstGiven(candidates: readonly Candidate[]): readonly [source: string, text: string] | undefined {
  for (const [source, text] of candidates) if (text !== undefined) return [source, text]
  return undefined
}

import path from 'node:path'
import { BadInput, messageOf } from '../../base/errors.js'
import type { Definition } from './definition.js'
import { DEFINITIONS, isDefinition, listDefinitions, type DefinitionTree, type Settings } from './settings.js'
import { readSettingsFile } from './settings-file.js'
import { tomlValue } from './toml-value.js'

export interface SettingSources {
  /** As given on the command line, by key in camel case. */
  readonly flags: Readonly<Record<string, string | undefined>>
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Path of a TOML file. */
  readonly file: string
  /** Whether a missing file is an error: it is when the user named it. */
  readonly fileIsRequired: boolean
  /** The directory that relative paths in flags and variables start from. Those in the file start from its directory. */
  readonly workingDirectory: string
}

/**
 * A flag overrides the environment (`STAGERD_*`), which overrides the file, which overrides the default.
 *
 * Throws `BadInput` (`bad-setting`, `bad-settings-file`). The message names the setting, the source of its value, and
 * what is allowed.
 */
export async function loadSettings(sources: SettingSources): Promise<Settings> {
  const { flags, environment, fileIsRequired, workingDirectory } = sources
  const file = path.resolve(workingDirectory, sources.file)
  const known = listDefinitions().map(
    (one) => [one.key, `${one.placeholder}, by default ${tomlValue(one.default)}`] as const,
  )
  const fromFile = await readSettingsFile(file, fileIsRequired, new Map(known))

  const read = ({ key, default: defaultValue, parse }: Definition<unknown>): unknown => {
    const variable = variableOf(key)
    const { source, text, base } = firstGiven([
      { source: () => `--${key}`, text: flags[camelCase(key)], base: workingDirectory },
      { source: () => variable, text: environment[variable], base: workingDirectory },
      {
        source: () => `${key} in ${fromFile.get(key)?.place()}`,
        text: fromFile.get(key)?.text,
        base: path.dirname(file),
      },
    ]) ?? { source: () => `the default of ${key}`, text: defaultValue, base: workingDirectory }
    try {
      return parse(text, base)
    } catch (error) {
      throw new BadInput('bad-setting', `${source()}: ${messageOf(error)}.`, { cause: error })
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

interface Given<Text> {
  readonly source: () => string
  readonly text: Text
  readonly base: string
}

function firstGiven(candidates: readonly Given<string | undefined>[]): Given<string> | undefined {
  for (const { text, ...rest } of candidates) if (text !== undefined) return { ...rest, text }
  return undefined
}

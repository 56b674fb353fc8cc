import { BadInput, messageOf } from '../../base/errors.js'
import { DEFINITIONS, type SettingName, type SettingValue, variableOf } from './definitions.js'
import { readSettingsFile } from './settings-file.js'
import type { Settings } from './settings.js'

export interface SettingSources {
  /** As given on the command line, by the name of the setting. */
  readonly flags: Readonly<Partial<Record<SettingName, string>>>
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
  const keys = Object.values(DEFINITIONS).map(({ key }) => key)
  const fromFile = await readSettingsFile(file, fileIsRequired, keys)

  const get = <K extends SettingName>(name: K): SettingValue<K> => {
    const { key, default: defaultValue, parse } = DEFINITIONS[name]
    const variable = variableOf(key)
    const [source, text] = firstGiven([
      [`--${key}`, flags[name]],
      [variable, environment[variable]],
      [`${key} in ${file}`, fromFile.get(key)],
    ]) ?? [`the default of ${key}`, defaultValue]
    try {
      return parse(text) as SettingValue<K>
    } catch (error) {
      throw new BadInput('bad-setting', `${source}: ${messageOf(error)}.`, { cause: error })
    }
  }

  return {
    stateDir: get('stateDir'),
    socket: get('socket'),
    group: get('group'),
    listen: get('listen'),
    concurrency: get('concurrency'),
    bridgePool: get('bridgePool'),
    caBundle: get('caBundle'),
    limits: {
      memoryBytes: get('memory'),
      cpus: get('cpus'),
      pids: get('pids'),
      diskBytes: get('disk'),
      timeoutMs: get('timeout'),
    },
    packageQuotaBytes: get('packageQuota'),
    compressor: { name: get('compressor'), level: get('compressionLevel') },
    uploadGraceMs: get('uploadGrace'),
    logLevel: get('logLevel'),
  }
}

type Candidate = readonly [source: string, text: string | undefined]

function firstGiven(candidates: readonly Candidate[]): readonly [source: string, text: string] | undefined {
  for (const [source, text] of candidates) if (text !== undefined) return [source, text]
  return undefined
}

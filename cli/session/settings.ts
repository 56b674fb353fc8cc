import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import path from 'node:path'
import { assertNamespace } from '../../base/fqn.js'
import { BadInput, errnoOf, messageOf } from '../../base/errors.js'
import type { Io } from '../terminal/io.js'

/** The settings that stagectl stores between commands. */
export interface Settings {
  readonly namespace?: string
}

export function settingsFile(env: Io['env']): string {
  // By the XDG specification, an empty or relative XDG_CONFIG_HOME counts as unset.
  const xdg = env['XDG_CONFIG_HOME'] ?? ''
  const base = path.isAbsolute(xdg) ? xdg : path.join(env['HOME'] ?? homedir(), '.config')
  return path.join(base, 'stagectl', 'config.json')
}

/** Empty without a file. Throws `BadInput` (`bad-settings`) for an invalid file. */
export async function readSettings(env: Io['env']): Promise<Settings> {
  const file = settingsFile(env)
  try {
    const document: unknown = JSON.parse(await readFile(file, 'utf8'))
    const namespace: unknown =
      typeof document === 'object' && document !== null ? Reflect.get(document, 'namespace') : undefined
    if (typeof namespace !== 'string') return {}
    assertNamespace(namespace)
    return { namespace }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return {}
    throw new BadInput('bad-settings', `${file} is invalid (${messageOf(error)}): correct it, or remove it.`, {
      cause: error,
    })
  }
}

/** Writes atomically. */
export async function writeSettings(env: Io['env'], settings: Settings): Promise<void> {
  const file = settingsFile(env)
  const temporary = `${file}.${randomUUID()}`
  await mkdir(path.dirname(file), { recursive: true })
  try {
    await writeFile(temporary, `${JSON.stringify(settings, undefined, 2)}\n`, { flag: 'wx' })
    await rename(temporary, file)
  } finally {
    await rm(temporary, { force: true })
  }
}

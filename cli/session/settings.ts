import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import path from 'node:path'
import { assertNamespace } from '../../base/fqn.js'
import { BadInput, errnoOf, messageOf } from '../../base/errors.js'
import type { Io } from '../terminal/io.js'

/** What stagectl remembers between two calls. */
export interface Settings {
  readonly namespace?: string
}

export function settingsFile(env: Io['env']): string {
  // The specification of XDG_CONFIG_HOME: empty or relative counts as unset.
  const xdg = env['XDG_CONFIG_HOME'] ?? ''
  const base = path.isAbsolute(xdg) ? xdg : path.join(env['HOME'] ?? homedir(), '.config')
  return path.join(base, 'stagectl', 'config.json')
}

/** Throws `BadInput` (`bad-settings`) when the file is there but cannot be understood. */
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
    throw new BadInput('bad-settings', `${file} cannot be used (${messageOf(error)}): correct it, or remove it.`, {
      cause: error,
    })
  }
}

/** Whole or not at all. */
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

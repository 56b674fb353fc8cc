import { readFileSync } from 'node:fs'
import path from 'node:path'
import { assertNamespace } from '../../base/fqn.js'
import { BadInput, errnoOf, messageOf } from '../../base/errors.js'
import { fileError } from '../../base/file-error.js'
import type { Io } from '../terminal/io.js'
import { replaceFile } from './replace-file.js'
import { remedyOf, userDirectory } from './user-directory.js'

/** The settings that stagectl stores between commands. */
export interface Settings {
  readonly namespace?: string
}

const REMEDY = `${remedyOf('config')}, or give the namespace with --namespace or STAGERD_NAMESPACE`

export function settingsFile(env: Io['env']): string {
  return path.join(userDirectory('config', env), 'config.json')
}

/** Empty without a file. Throws `BadInput`: `bad-settings` for an invalid file, and for one that cannot be read. */
export function readSettings(env: Io['env']): Settings {
  const file = settingsFile(env)
  const text = read(file)
  if (text === undefined) return {}
  try {
    const document: unknown = JSON.parse(text)
    const namespace: unknown =
      typeof document === 'object' && document !== null ? Reflect.get(document, 'namespace') : undefined
    if (typeof namespace !== 'string') return {}
    assertNamespace(namespace)
    return { namespace }
  } catch (error) {
    const reason = error instanceof SyntaxError ? 'it is not JSON' : messageOf(error).replace(/\.$/, '')
    throw new BadInput('bad-settings', `${file} is invalid (${reason}): correct it, or remove it.`, { cause: error })
  }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined
    throw fileError(error, { file, remedy: REMEDY })
  }
}

export async function writeSettings(env: Io['env'], settings: Settings): Promise<void> {
  await replaceFile(settingsFile(env), `${JSON.stringify(settings, undefined, 2)}\n`, { mode: 0o666, remedy: REMEDY })
}

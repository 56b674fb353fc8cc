import { BadInput } from '../../base/errors.js'
import type { BuildScript, BuildScriptText } from '../../daemon/documents/build-script.js'
import { ApiProblem } from '../api/api-problem.js'
import { readTextFile } from '../session/read-text-file.js'
import type { Session } from '../session/session.js'

export interface ScriptFile {
  readonly path: string
  readonly text: string
  readonly script: BuildScript
}

/**
 * Reads a build script and lets the daemon parse it. Throws what `readTextFile` throws, or `BadInput` (`bad-syntax`)
 * with the file and the position of the error.
 */
export async function readBuildScript(session: Session, path: string): Promise<ScriptFile> {
  const { api, signal } = session
  const text = await readTextFile(session, path, 'give the path of a build script, such as redis.conf')
  const document: BuildScriptText = { script: text }
  try {
    return { path, text, script: await api.post<BuildScript>('/v1/build-scripts', document, { signal }) }
  } catch (error) {
    if (!(error instanceof ApiProblem) || error.code !== 'bad-syntax') throw error
    throw new BadInput('bad-syntax', `${path}: ${error.message}`, { cause: error })
  }
}

import { readFile } from 'node:fs/promises'
import { BadInput, errnoOf, NotFound } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import type { BuildScript, BuildScriptText } from '../../daemon/documents/build-script.js'
import { ApiProblem } from '../api/api-problem.js'
import type { Session } from '../session/session.js'

export interface ScriptFile {
  readonly path: string
  readonly text: string
  readonly script: BuildScript
}

/**
 * Reads a build script and lets the daemon parse it. Throws `NotFound` (`no-such-script`), or `BadInput` (`bad-syntax`)
 * with the file and the position of the error.
 */
export async function readBuildScript({ api, signal }: Session, path: string): Promise<ScriptFile> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw error
    throw new NotFound(
      'no-such-script',
      `There is no ${quote(path)}: give the path of a build script, such as redis.conf.`,
    )
  })
  const document: BuildScriptText = { script: text }
  try {
    return { path, text, script: await api.post<BuildScript>('/v1/build-scripts', document, { signal }) }
  } catch (error) {
    if (!(error instanceof ApiProblem) || error.code !== 'bad-syntax') throw error
    throw new BadInput('bad-syntax', `${path}: ${error.message}`, { cause: error })
  }
}

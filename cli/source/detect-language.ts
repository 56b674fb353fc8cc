import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { errnoOf } from '../../base/errors.js'
import { entryError } from '../pack/packing-error.js'

/** Files in the root of a source and the pipeline for each. The first match wins. */
const MARKERS: readonly (readonly [file: string, pipeline: string])[] = [
  ['package.json', 'nodejs'],
  ['Gemfile', 'ruby'],
  ['requirements.txt', 'python'],
  ['pyproject.toml', 'python'],
  ['setup.py', 'python'],
  ['Pipfile', 'python'],
  ['go.mod', 'go'],
  ['pom.xml', 'java'],
  ['build.gradle', 'java'],
  ['build.gradle.kts', 'java'],
  ['composer.json', 'php'],
  ['index.php', 'php'],
  ['index.html', 'static-site'],
]

/** Names of programs for a Java runtime. */
const JAVA_ARCHIVE = /\.(?:war|ear|jar)$/i

export interface DetectedLanguage {
  /** The file that matched. */
  readonly file: string
  /** Local name of the pipeline for such sources. */
  readonly pipeline: string
}

/**
 * Undefined when no file matches.
 *
 * @param source a directory, or a file, which is taken as a directory that holds only this file
 */
export async function detectLanguage(source: string): Promise<DetectedLanguage | undefined> {
  const files = await filesOf(source)
  const names = new Set(files)
  for (const [file, pipeline] of MARKERS) if (names.has(file)) return { file, pipeline }
  const archive = files.sort().find(isJavaArchive)
  return archive === undefined ? undefined : { file: archive, pipeline: 'java' }
}

export function isJavaArchive(name: string): boolean {
  return JAVA_ARCHIVE.test(name)
}

async function filesOf(source: string): Promise<string[]> {
  try {
    return await readdir(source)
  } catch (error) {
    if (errnoOf(error) === 'ENOTDIR') return [path.basename(source)]
    throw entryError('', error)
  }
}

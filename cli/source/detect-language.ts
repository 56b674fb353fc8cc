import { readdir } from 'node:fs/promises'

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

export interface DetectedLanguage {
  /** The file that matched. */
  readonly file: string
  /** Local name of the pipeline for such sources. */
  readonly pipeline: string
}

/** Undefined when no file matches. */
export async function detectLanguage(directory: string): Promise<DetectedLanguage | undefined> {
  const files = new Set(await readdir(directory))
  for (const [file, pipeline] of MARKERS) if (files.has(file)) return { file, pipeline }
  return undefined
}

import { readdir } from 'node:fs/promises'

/** What a file at the top of a source says of it: the first that is there decides. */
const SIGNS: readonly (readonly [file: string, pipeline: string])[] = [
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

export interface Guess {
  /** The file that gave it away. */
  readonly sign: string
  /** Local name of the pipeline for such sources. */
  readonly pipeline: string
}

/** Undefined when no file tells. */
export async function guessLanguage(directory: string): Promise<Guess | undefined> {
  const files = new Set(await readdir(directory))
  for (const [sign, pipeline] of SIGNS) if (files.has(sign)) return { sign, pipeline }
  return undefined
}

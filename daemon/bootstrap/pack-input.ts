import type { Readable } from 'node:stream'
import { createGzip } from 'node:zlib'
import { pack, type Header } from 'tar-stream'
import { COMPILER_DIRECTORIES, compilerTexts } from '../../base/compiler-input.js'
import type { BuildScript } from '../packages/build-script/build-script.js'
import { fileNameOf } from '../packages/build-script/read-source.js'
import type { RecipeOf, ShippedFile } from './recipe.js'

/** A fixed time, so that the same files always give the same bytes. */
const MTIME = new Date(0)
/** UID and GID of `runner`, the user that builds run as. */
const RUNNER = 99

/** The program of a stager, in /app, where a stager starts. */
export function packProgram({ files }: RecipeOf<'stager'>): Readable {
  return packed(0, [], entriesOf('app', files))
}

/** The input of the stager `system`; its program describes it. */
export async function packSystem({ files, library, inputs }: RecipeOf<'system'>): Promise<Readable> {
  const read = textEntry('inputs', await inputs())
  return packed(0, [], [...entriesOf('recipe', files), ...entriesOf('lib', library), read])
}

/** The input of the stager `compiler`. The sources are fetched by the build, in its container. */
export function packScript({ text, script, includes }: RecipeOf<'script'>): Readable {
  const texts = compilerTexts({ ...script, build: `${fetchCommands(script)}${script.build}` })
  const build = Object.entries({ 'build/script.conf': text, ...texts })
  return packed(RUNNER, COMPILER_DIRECTORIES, [
    ...build.map(([name, content]) => textEntry(name, content)),
    ...entriesOf('work', includes),
  ])
}

/** Shell commands that fetch the sources of a script into the working directory, and verify them. */
export function fetchCommands({ sources }: Pick<BuildScript, 'sources'>): string {
  return sources
    .map(({ url, sha256 }) => {
      if (sha256 === undefined) throw new TypeError(`a shipped build script gives no sha256 for ${url}`)
      const file = shellWord(fileNameOf(url) ?? '')
      return `curl -fsSL --retry 3 -o ${file} ${shellWord(url)}\necho ${sha256} ${file} | sha256sum --check --quiet\n`
    })
    .join('')
}

function shellWord(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}

interface Entry {
  readonly header: Partial<Header> & { readonly name: string }
  readonly content: Buffer
}

function entriesOf(directory: string, files: readonly ShippedFile[]): readonly Entry[] {
  return files.map(({ path, executable, content }) => ({
    header: { name: `${directory}/${path}`, mode: executable ? 0o755 : 0o644 },
    content,
  }))
}

function textEntry(name: string, text: string): Entry {
  return { header: { name, mode: 0o644 }, content: Buffer.from(text) }
}

function packed(owner: number, directories: readonly string[], entries: readonly Entry[]): Readable {
  const tar = pack()
  const common = { uid: owner, gid: owner, mtime: MTIME }
  for (const name of directories) tar.entry({ name, type: 'directory', mode: 0o755, ...common })
  for (const { header, content } of entries) tar.entry({ ...header, ...common }, content)
  tar.finalize()
  return tar.pipe(createGzip({ level: 1 }))
}

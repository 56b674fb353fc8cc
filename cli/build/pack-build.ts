import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { pack, type Pack } from 'tar-stream'
import { BadInput, errnoOf, NotFound } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import type { BuildScript } from '../../daemon/documents/build-script.js'
import type { Capability } from '../../daemon/documents/capability.js'
import type { Io } from '../terminal/io.js'
import { meter } from '../pack/meter.js'
import { readHandle } from '../pack/read-handle.js'
import type { Tarball } from '../pack/tarball.js'
import { openTemporaryFile } from '../pack/temporary-file.js'
import type { FetchedSource } from './fetch-sources.js'
import type { ScriptFile } from './read-build-script.js'

/** The user `runner`, as whom the build runs. */
const OWNER = { uid: 99, gid: 99, mtime: new Date(0) }

/**
 * What the `compiler` stager is given, in a form that a shell can read without a parser:
 *
 *     work/…                the sources and the files beside the script, as the build finds them
 *     build/script.conf     the script itself
 *     build/body            the shell to run
 *     build/cleanup         a path in each line; as are depends, build_depends and provides (type.name)
 *     build/snapshot_path   empty, or one path
 *     build/environment/KEY the value, byte for byte
 *
 * A plain tar: most of it is compressed already. Throws `NotFound` (`no-such-file`), `BadInput` (`not-a-file`,
 * `same-file`).
 */
export async function packBuild(
  { path: scriptPath, text, script }: ScriptFile,
  sources: readonly FetchedSource[],
  env: Io['env'],
  signal: AbortSignal,
): Promise<Tarball> {
  const beside = path.dirname(scriptPath)
  const files = [...sources, ...script.include_files.map((file) => ({ file, path: path.join(beside, file) }))]
  assertDistinct(files.map(({ file }) => file))
  const temporary = await openTemporaryFile(env)
  try {
    const hash = createHash('sha256')
    let length = 0
    const tar = pack()
    const written = pipeline(
      tar,
      meter((chunk) => {
        hash.update(chunk)
        length += chunk.length
      }),
      async (chunks: AsyncIterable<Uint8Array>) => {
        for await (const chunk of chunks) await temporary.appendFile(chunk)
      },
      { signal },
    )
    written.catch(() => undefined)
    addTexts(tar, { 'script.conf': text, ...textsOf(script) })
    tar.entry({ name: 'work/', type: 'directory', mode: 0o755, ...OWNER })
    for (const { file, path: from } of files) await addFile(tar, `work/${file}`, from, signal)
    tar.finalize()
    await written
    return {
      sha256: hash.digest('hex'),
      length,
      read: () => readHandle(temporary),
      dispose: () => temporary.close(),
    }
  } catch (error) {
    await temporary.close()
    throw error
  }
}

function textsOf(script: BuildScript): Readonly<Record<string, string>> {
  const lines = (list: readonly string[]) => list.map((line) => `${line}\n`).join('')
  const written = (list: readonly Capability[]) => lines(list.map(({ type, name }) => `${type}.${name}`))
  return {
    body: `${script.build}\n`,
    cleanup: lines(script.cleanup),
    snapshot_path: script.snapshot_path ?? '',
    depends: written(script.depends),
    build_depends: written(script.build_depends),
    provides: written(script.provides),
    ...Object.fromEntries(Object.entries(script.environment).map(([key, value]) => [`environment/${key}`, value])),
  }
}

function addTexts(tar: Pack, texts: Readonly<Record<string, string>>): void {
  for (const name of ['build/', 'build/environment/']) tar.entry({ name, type: 'directory', mode: 0o755, ...OWNER })
  for (const [name, text] of Object.entries(texts)) tar.entry({ name: `build/${name}`, mode: 0o644, ...OWNER }, text)
}

async function addFile(tar: Pack, name: string, from: string, signal: AbortSignal): Promise<void> {
  const stats = await stat(from).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw error
    throw new NotFound('no-such-file', `There is no ${quote(from)}: include_files stand beside the script.`)
  })
  if (!stats.isFile())
    throw new BadInput('not-a-file', `${quote(from)} is not a file: name each file in include_files.`)
  const mode = stats.mode & 0o111 ? 0o755 : 0o644
  await pipeline(createReadStream(from), tar.entry({ name, size: stats.size, mode, ...OWNER }), { signal })
}

/** The working directory has one file for each name. */
function assertDistinct(names: readonly string[]): void {
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined)
    throw new BadInput('same-file', `Two sources or include_files are named ${quote(twice)}: leave one of them out.`)
}

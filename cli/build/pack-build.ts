import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { pack, type Pack } from 'tar-stream'
import { BadInput, errnoOf, NotFound } from '../../base/errors.js'
import { COMPILER_DIRECTORIES, compilerTexts } from '../../base/compiler-input.js'
import { fileError } from '../../base/file-error.js'
import { quote } from '../../base/fqn.js'
import type { Io } from '../terminal/io.js'
import { meter } from '../pack/meter.js'
import { temporaryFileError } from '../pack/packing-error.js'
import { readHandle } from '../pack/read-handle.js'
import type { Tarball } from '../pack/tarball.js'
import { openTemporaryFile, temporaryDirectory } from '../pack/temporary-file.js'
import type { FetchedSource } from './fetch-sources.js'
import type { ScriptFile } from './read-build-script.js'

/** UID and GID of `runner`, the user that the build runs as. */
const OWNER = { uid: 99, gid: 99, mtime: new Date(0) }

/**
 * Packs the input of the `compiler` stager: what `compilerTexts` describes, the script itself as build/script.conf, and
 * the working directory of the build, work/, with sources and include_files.
 *
 * The tar is not compressed, because most sources already are. Throws `NotFound` (`no-such-file`), `BadInput`
 * (`not-a-file`, `same-file`).
 */
export async function packBuild(
  { path: scriptPath, text, script }: ScriptFile,
  sources: readonly FetchedSource[],
  env: Io['env'],
  signal: AbortSignal,
): Promise<Tarball> {
  const scriptDirectory = path.dirname(scriptPath)
  const files = [...sources, ...script.include_files.map((file) => ({ file, path: path.join(scriptDirectory, file) }))]
  assertDistinct(files.map(({ file }) => file))
  const temporary = await openTemporaryFile(env)
  try {
    const hash = createHash('sha256')
    let length = 0
    const tar = pack()
    const writing = pipeline(
      tar,
      meter((chunk) => {
        hash.update(chunk)
        length += chunk.length
      }),
      async (chunks: AsyncIterable<Uint8Array>) => {
        for await (const chunk of chunks)
          await temporary.appendFile(chunk).catch((error: unknown) => {
            throw temporaryFileError(temporaryDirectory(env), error)
          })
      },
      { signal },
    )
    // Handled by the `await` below; without this, a rejection before it would be unhandled.
    writing.catch(() => undefined)
    addTextEntries(tar, {
      'build/script.conf': text,
      ...compilerTexts({ ...script, snapshotPath: script.snapshot_path, buildDepends: script.build_depends }),
    })
    for (const { file, path: from } of files) await addFile(tar, `work/${file}`, from, signal)
    tar.finalize()
    await writing
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

function addTextEntries(tar: Pack, texts: Readonly<Record<string, string>>): void {
  for (const name of COMPILER_DIRECTORIES) tar.entry({ name, type: 'directory', mode: 0o755, ...OWNER })
  for (const [name, text] of Object.entries(texts)) tar.entry({ name, mode: 0o644, ...OWNER }, text)
}

async function addFile(tar: Pack, name: string, from: string, signal: AbortSignal): Promise<void> {
  const stats = await stat(from).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw fileError(error, { file: from })
    throw new NotFound(
      'no-such-file',
      `There is no ${quote(from)}: include_files are relative to the directory of the script.`,
    )
  })
  if (!stats.isFile())
    throw new BadInput('not-a-file', `${quote(from)} is not a file: list each file in include_files.`)
  const mode = stats.mode & 0o111 ? 0o755 : 0o644
  await pipeline(createReadStream(from), tar.entry({ name, size: stats.size, mode, ...OWNER }), { signal })
}

/** All files share one directory, so each name must be unique. */
function assertDistinct(names: readonly string[]): void {
  const duplicate = names.find((name, index) => names.indexOf(name) !== index)
  if (duplicate !== undefined)
    throw new BadInput(
      'same-file',
      `Two sources or include_files have the name ${quote(duplicate)}: remove one of them.`,
    )
}

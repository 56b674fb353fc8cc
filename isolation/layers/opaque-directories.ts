import { Readable } from 'node:stream'
import { Fault } from '../../base/errors.js'
import { intoProcess } from '../archive/filter-process.js'

/** So much is written at a time: all of it may be longer than the longest string. */
const BATCH_CHARACTERS = 64 * 1024

/**
 * Mark directories of a tree of ours opaque, as overlayfs does. Needs root: attributes of `trusted` take CAP_SYS_ADMIN.
 * In one process for any number, and by way of a file so that names may be any bytes.
 *
 * Throws `Fault` (`process-failed`, `tool-missing`).
 */
export async function markOpaque(tree: string, paths: readonly string[], signal: AbortSignal): Promise<void> {
  if (paths.length === 0) return
  // In the tree, so that the way to it does not make a path longer than the kernel takes.
  const argv = ['env', `--chdir=${tree}`, 'setfattr', '--no-dereference', '--restore=-']
  await intoProcess(Readable.from(dump(paths), { objectMode: false }), argv, {
    signal,
    checkExit: ({ exitCode, readAll, stderr }) =>
      exitCode === 0 && readAll
        ? undefined
        : new Fault(
            'process-failed',
            `Directories of ${tree} could not be marked opaque: ${stderr || 'setfattr was killed'}.`,
          ),
  })
}

function* dump(paths: readonly string[]): Generator<string> {
  let batch = ''
  for (const path of paths) {
    batch += `# file: ${escaped(path)}\ntrusted.overlay.opaque="y"\n\n`
    if (batch.length < BATCH_CHARACTERS) continue
    yield batch
    batch = ''
  }
  yield batch
}

/** As getfattr writes names: anything unusual as three octal digits. */
function escaped(path: string): string {
  return path.replace(/[^A-Za-z0-9._/-]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`)
}

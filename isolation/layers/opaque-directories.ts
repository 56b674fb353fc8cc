import { Readable } from 'node:stream'
import { Fault } from '../../base/errors.js'
import { intoProcess } from '../archive/filter-process.js'

/** Written in batches: the whole may exceed the maximum length of a string. */
const BATCH_CHARACTERS = 64 * 1024

/**
 * Marks directories as opaque, as overlayfs does. Needs CAP_SYS_ADMIN for attributes in the `trusted` namespace. One
 * process for all directories; it reads their names as a dump, in which they can be any bytes.
 *
 * Throws `Fault` (`process-failed`, `tool-missing`).
 */
export async function markOpaque(tree: string, paths: readonly string[], signal: AbortSignal): Promise<void> {
  if (paths.length === 0) return
  // In the tree, because with an absolute prefix a path could exceed PATH_MAX.
  const argv = ['env', `--chdir=${tree}`, 'setfattr', '--no-dereference', '--restore=-']
  await intoProcess(Readable.from(dump(paths), { objectMode: false }), argv, {
    signal,
    checkExit: ({ exitCode, readAll, stderr }) =>
      exitCode === 0 && readAll
        ? undefined
        : new Fault(
            'process-failed',
            `Directories of ${tree} cannot be marked opaque: ${stderr || 'setfattr was killed'}.`,
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

/** As getfattr prints names: unusual characters as three octal digits. */
function escaped(path: string): string {
  return path.replace(/[^A-Za-z0-9._/-]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`)
}

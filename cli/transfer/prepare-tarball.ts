import path from 'node:path'
import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { Progress } from '../display/progress.js'
import { locateSource } from '../pack/locate-source.js'
import { packKnownDirectory, wholeArchive, type PackDirectory, type PackedDirectory } from '../pack/pack-directory.js'
import type { Tarball } from '../pack/tarball.js'
import type { Session } from '../session/session.js'

/** Packs a directory, with all entries below `prefix` in the archive, and shows the progress. */
export async function prepareDirectory(session: Session, directory: string, prefix: string): Promise<Tarball> {
  return wholeArchive(await packWithProgress(session, { directory, prefix }))
}

/**
 * The same, where what is known need not be read.
 *
 * @param source its `directory` as the user wrote it; its `signal` ends the packing, as that of the session does
 */
export function packWithProgress(
  session: Session,
  {
    directory,
    signal,
    ...request
  }: Pick<PackDirectory, 'directory' | 'prefix' | 'leaveOut' | 'known'> & {
    readonly signal?: AbortSignal
  },
): Promise<PackedDirectory> {
  const { cwd, env } = session.io
  const source = { directory: path.resolve(cwd, directory), given: directory, env, ...request }
  return withProgress(session, 'Packing', (hooks) => {
    const ends = signal ? AbortSignal.any([signal, hooks.signal]) : hooks.signal
    return packKnownDirectory({ ...source, ...hooks, signal: ends })
  })
}

/** Takes a tarball, a zip or a Java archive of the user, and shows the progress. */
export async function prepareFile(session: Session, given: string): Promise<Tarball> {
  const file = path.resolve(session.io.cwd, given)
  if (locateSource(file, given) === 'directory')
    throw new BadInput('not-a-file', `${quote(given)} is a directory: give a tarball or a zip.`)
  // What reads archives takes longer to load than a directory takes to pack.
  const { openFile } = await import('../pack/open-file.js')
  return await withProgress(session, 'Reading', (hooks) => openFile({ file, env: session.io.env, ...hooks }))
}

interface ProgressHooks {
  readonly signal: AbortSignal
  /** Without it, the total is unknown. */
  readonly onStart: (total: number) => void
  readonly onBytes: (count: number) => void
}

async function withProgress<Packed extends Pick<Tarball, 'notes'>>(
  session: Session,
  label: string,
  prepare: (hooks: ProgressHooks) => Promise<Packed>,
): Promise<Packed> {
  const { output, signal } = session
  let progress: Progress | undefined
  const start = (total: number) => (progress = new Progress(output, label, total))
  let packed: Packed
  try {
    packed = await prepare({
      signal,
      onStart: start,
      onBytes: (count) => (progress ?? start(0)).add(count),
    })
  } finally {
    progress?.stop()
  }
  for (const note of packed.notes ?? []) await output.warning(note)
  return packed
}

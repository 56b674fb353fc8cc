import path from 'node:path'
import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { Progress } from '../display/progress.js'
import { locateSource } from '../pack/locate-source.js'
import { openFile } from '../pack/open-file.js'
import { packDirectory } from '../pack/pack-directory.js'
import type { Tarball } from '../pack/tarball.js'
import type { Session } from '../session/session.js'

/**
 * Packs a directory, with all entries below `prefix` in the archive, and shows the progress.
 *
 * @param leaveOut absolute paths of files that the archive does not contain, under any name
 */
export function prepareDirectory(
  session: Session,
  directory: string,
  prefix: string,
  leaveOut: readonly string[] = [],
): Promise<Tarball> {
  const { cwd, env } = session.io
  return withProgress(session, 'Packing', (hooks) =>
    packDirectory({ directory: path.resolve(cwd, directory), given: directory, prefix, leaveOut, env, ...hooks }),
  )
}

/** Takes a tarball, a zip or a Java archive of the user, and shows the progress. */
export async function prepareFile(session: Session, given: string): Promise<Tarball> {
  const file = path.resolve(session.io.cwd, given)
  if ((await locateSource(file, given)) === 'directory')
    throw new BadInput('not-a-file', `${quote(given)} is a directory: give a tarball or a zip.`)
  return await withProgress(session, 'Reading', (hooks) => openFile({ file, env: session.io.env, ...hooks }))
}

interface ProgressHooks {
  readonly signal: AbortSignal
  /** Without it, the total is unknown. */
  readonly onStart: (total: number) => void
  readonly onBytes: (count: number) => void
}

async function withProgress(
  session: Session,
  label: string,
  prepare: (hooks: ProgressHooks) => Promise<Tarball>,
): Promise<Tarball> {
  const { output, signal } = session
  let progress: Progress | undefined
  const start = (total: number) => (progress = new Progress(output, label, total))
  let tarball: Tarball
  try {
    tarball = await prepare({
      signal,
      onStart: start,
      onBytes: (count) => (progress ?? start(0)).add(count),
    })
  } finally {
    progress?.stop()
  }
  for (const note of tarball.notes ?? []) await output.warning(note)
  return tarball
}

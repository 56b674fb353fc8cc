import path from 'node:path'
import { Progress } from '../display/progress.js'
import { packDirectory } from '../pack/pack-directory.js'
import { openTarball } from '../pack/tarball-file.js'
import type { Tarball } from '../pack/tarball.js'
import type { Session } from '../session/session.js'

/** Packs a directory, with all entries below `prefix` in the archive, and shows the progress. */
export function prepareDirectory(session: Session, directory: string, prefix: string): Promise<Tarball> {
  return withProgress(session, 'Packing', (hooks) =>
    packDirectory({ directory: path.resolve(session.io.cwd, directory), prefix, env: session.io.env, ...hooks }),
  )
}

/** Reads a tarball of the user for its digest, and shows the progress. */
export function prepareFile(session: Session, file: string): Promise<Tarball> {
  return withProgress(session, 'Reading', (hooks) => openTarball(path.resolve(session.io.cwd, file), hooks))
}

interface ProgressHooks {
  readonly signal: AbortSignal
  readonly onStart: (total: number) => void
  readonly onBytes: (count: number) => void
}

async function withProgress(
  session: Session,
  label: string,
  prepare: (hooks: ProgressHooks) => Promise<Tarball>,
): Promise<Tarball> {
  let progress: Progress | undefined
  try {
    return await prepare({
      signal: session.signal,
      onStart: (total) => (progress = new Progress(session.output, label, total)),
      onBytes: (count) => progress?.add(count),
    })
  } finally {
    progress?.stop()
  }
}

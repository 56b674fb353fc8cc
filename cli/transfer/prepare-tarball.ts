import path from 'node:path'
import { Progress } from '../display/progress.js'
import { packDirectory } from '../pack/pack-directory.js'
import { openTarball } from '../pack/tarball-file.js'
import type { Tarball } from '../pack/tarball.js'
import type { Session } from '../session/session.js'

/** Packs a directory, with everything below `prefix` inside the archive, and shows how far it is. */
export function prepareDirectory(session: Session, directory: string, prefix: string): Promise<Tarball> {
  return shown(session, 'Packing', (hooks) =>
    packDirectory({ directory: path.resolve(session.io.cwd, directory), prefix, env: session.io.env, ...hooks }),
  )
}

/** Reads the user's own tarball for its digest, and shows how far it is. */
export function prepareFile(session: Session, file: string): Promise<Tarball> {
  return shown(session, 'Reading', (hooks) => openTarball(path.resolve(session.io.cwd, file), hooks))
}

interface Hooks {
  readonly signal: AbortSignal
  readonly onStart: (total: number) => void
  readonly onBytes: (count: number) => void
}

async function shown(session: Session, what: string, prepare: (hooks: Hooks) => Promise<Tarball>): Promise<Tarball> {
  let progress: Progress | undefined
  try {
    return await prepare({
      signal: session.signal,
      onStart: (total) => (progress = new Progress(session.output, what, total)),
      onBytes: (count) => progress?.add(count),
    })
  } finally {
    progress?.stop()
  }
}

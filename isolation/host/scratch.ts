import { chmod, mkdir, rmdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errnoOf } from '../../base/errors.js'
import { runProcess } from '../../base/run-process.js'
import { readDirectoryIfExists } from '../../base/read-directory.js'

/**
 * The scratch directory of one launch:
 *
 *   <state>/launches/<uuid>/upper     what the stager wrote to /stagerfs
 *                          /work      the kernel's
 *                          /merged    /stagerfs itself: a mount point
 *                          /ground    the lowest layer: overlay wants at least one, and we may have files to show
 */
export interface Scratch {
  readonly directory: string
  readonly upper: string
  readonly work: string
  readonly merged: string
  readonly ground: string
}

export function launchesDirectory(stateDirectory: string): string {
  return join(stateDirectory, 'launches')
}

export function scratchOf(stateDirectory: string, launch: string): Scratch {
  const directory = join(launchesDirectory(stateDirectory), launch)
  const inside = (name: string) => join(directory, name)
  return { directory, upper: inside('upper'), work: inside('work'), merged: inside('merged'), ground: inside('ground') }
}

/** @param groundFiles content by absolute path */
export async function makeScratch(scratch: Scratch, groundFiles: ReadonlyMap<string, string>): Promise<void> {
  await mkdir(scratch.directory, { recursive: true, mode: 0o700 })
  await Promise.all([scratch.upper, scratch.work, scratch.merged, scratch.ground].map((path) => mkdir(path)))
  // The upper directory lends its mode to the root of the overlay; mkdir would take a strict umask off it.
  await chmod(scratch.upper, 0o755)
  for (const [path, content] of groundFiles) {
    const file = join(scratch.ground, path)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, content)
  }
}

/**
 * Only once the container is gone and /stagerfs unmounted: a stager could change names while they are removed. The mount
 * point goes by `rmdir`, so that a forgotten mount makes this fail instead of losing what is mounted.
 */
export async function removeScratch(scratch: Scratch, signal?: AbortSignal): Promise<void> {
  const names = await readDirectoryIfExists(scratch.directory)
  if (names.includes('merged')) await rmdir(scratch.merged)
  // Everything else, also what an older version may have put there: one stray name must not stop every sweep to come.
  const trees = names.filter((name) => name !== 'merged').map((name) => join(scratch.directory, name))
  // `rm` walks by directory descriptors: a path that is too long for the kernel does not stop it.
  if (trees.length > 0) await runProcess('rm', ['-rf', '--one-file-system', '--', ...trees], signal ? { signal } : {})
  try {
    await rmdir(scratch.directory)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  }
}

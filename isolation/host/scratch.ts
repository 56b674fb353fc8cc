import { chmod, mkdir, rmdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { makeDirectory } from '../../base/durable-directory.js'
import { errnoOf } from '../../base/errors.js'
import { orAborted } from '../../base/or-aborted.js'
import { runProcess } from '../../base/run-process.js'
import { readDirectoryIfExists } from '../../base/read-directory.js'
import { forkServer } from './fork-server.js'

/**
 * The scratch directory of one launch or run:
 *
 *   <state>/launches/<uuid>/upper     the upper directory of /stagerfs: what the stager wrote
 *                          /work      the work directory of the overlay
 *                          /merged    the mount point of /stagerfs, or of the layers of a run while its templates are read
 *                          /ground    the lowest layer: an overlay needs at least one, and it can have extra files
 *                          /files     the templates of a run, filled in
 *                          /cache     the mount point of the cache of a stager; cache-* are the directories of its overlay
 */
export interface Scratch {
  readonly directory: string
  readonly upper: string
  readonly work: string
  readonly merged: string
  readonly ground: string
  readonly files: string
  readonly cache: string
  readonly cacheUpper: string
  readonly cacheWork: string
  readonly cacheGround: string
  /** A copy of what is mounted at `cache`, to be kept as one layer. */
  readonly cacheFlat: string
}

/** Nothing is removed in them. */
const MOUNT_POINTS = ['merged', 'cache']

export function launchesDirectory(stateDirectory: string): string {
  return join(stateDirectory, 'launches')
}

export function scratchOf(stateDirectory: string, launch: string): Scratch {
  const directory = join(launchesDirectory(stateDirectory), launch)
  const inside = (name: string) => join(directory, name)
  return {
    directory,
    upper: inside('upper'),
    work: inside('work'),
    merged: inside('merged'),
    ground: inside('ground'),
    files: inside('files'),
    cache: inside('cache'),
    cacheUpper: inside('cache-upper'),
    cacheWork: inside('cache-work'),
    cacheGround: inside('cache-ground'),
    cacheFlat: inside('cache-flat'),
  }
}

/**
 * @param groundFiles content by absolute path
 * @param owner of everything that the container sees; undefined for that of the daemon
 */
export async function makeScratch(
  scratch: Scratch,
  groundFiles: ReadonlyMap<string, string>,
  owner?: { readonly uid: number; readonly gid: number },
): Promise<void> {
  await makeDirectory(scratch.directory)
  await Promise.all([scratch.upper, scratch.work, scratch.merged, scratch.ground].map((path) => mkdir(path)))
  // The root of the overlay has the mode of the upper directory, which mkdir would reduce by the umask.
  await chmod(scratch.upper, 0o755)
  for (const [path, content] of groundFiles) {
    const file = join(scratch.ground, path)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, content)
  }
  if (owner) await runProcess('chown', ['-R', '--', `${owner.uid}:${owner.gid}`, scratch.upper, scratch.ground])
}

/** For a run with templates. */
export async function makeRunScratch({ directory, merged, ground, files }: Scratch): Promise<void> {
  await makeDirectory(directory)
  await Promise.all([merged, ground, files].map((path) => mkdir(path)))
}

/**
 * To be called when the container is removed and /stagerfs is unmounted: a stager could change names during the removal.
 * Mount points are removed by `rmdir`, which fails if something is still mounted there.
 */
export async function removeScratch(scratch: Scratch, signal?: AbortSignal): Promise<void> {
  const names = await readDirectoryIfExists(scratch.directory)
  for (const name of MOUNT_POINTS) if (names.includes(name)) await rmdir(join(scratch.directory, name))
  // Everything else, including files of older versions: an unknown name must not block every later sweep.
  const trees = names.filter((name) => !MOUNT_POINTS.includes(name)).map((name) => join(scratch.directory, name))
  // `rm` uses directory descriptors, so that paths can exceed PATH_MAX.
  if (trees.length > 0) {
    const removed = forkServer.run({ argv: ['rm', '-rf', '--one-file-system', '--', ...trees] })
    // What it has not removed until then, it goes on to remove.
    await (signal ? orAborted(removed, signal) : removed)
  }
  try {
    await rmdir(scratch.directory)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  }
}

import { stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { MappedOwners } from '../archive/mapped-owners.js'
import { findCgroupFiles, readCounts } from './cgroup-files.js'
import type { Container } from './container.js'
import { deletedUse } from './deleted-use.js'
import { directoryUse, filesystemUse } from './disk-use.js'
import type { EngineSettings } from './engine-settings.js'
import { Freezer } from './freezer.js'
import type { LimitProbe } from './limit-watch.js'
import { findRootDirectories } from './root-directories.js'
import { RunningContainer, type RunningParts, type Snapshotting } from './running-container.js'

/** What it takes to watch a container and to read its files. */
export interface Surroundings {
  readonly settings: EngineSettings
  readonly snapshotting: Snapshotting
}

/**
 * Reads from /proc of the init process where the files and the cgroup of a container are. Call it before the program is
 * started: until then the init process cannot end.
 *
 * @param alsoWritten directories outside of its root that the container writes to
 * @param owners those for which the root and `alsoWritten` were made
 * Throws `Unavailable` (`engine-changed`) if the container has others, and as `findRootDirectories` does.
 */
export async function watchedContainer(
  surroundings: Surroundings,
  container: Container,
  pid: number,
  alsoWritten: readonly string[],
  owners: MappedOwners | undefined,
): Promise<{
  run(
    parts: Omit<RunningParts, 'container' | 'probe' | 'freezer' | 'root' | 'owners' | 'snapshotting'>,
  ): RunningContainer
}> {
  const { settings, snapshotting } = surroundings
  const engineDirectory = await settings.directory()
  const [root, cgroup] = await Promise.all([
    findRootDirectories(pid, engineDirectory),
    findCgroupFiles(pid, container.id),
    settings.confirm(pid, owners),
  ])
  // The container can write to /etc/hosts and similar files, which the Engine keeps here: they count against the limit.
  const written = await existing([root.upper, ...alsoWritten, join(engineDirectory, 'containers', container.id)])
  const freezer = new Freezer(
    (noRetry) => container.pause(noRetry),
    () => container.unpause(),
  )
  const probe: LimitProbe = {
    counts: () => readCounts(cgroup),
    eventFiles: [cgroup.pidsEvents, cgroup.memoryEvents].filter((file) => file !== undefined),
    filesystemUseBefore: await filesystemUse(written),
    filesystemUse: () => filesystemUse(written),
    ownUse: () => freezer.whileFrozen(() => ownUse(written, cgroup.pidsEvents ?? cgroup.memoryEvents)),
  }
  return {
    run: (parts) =>
      new RunningContainer({
        ...parts,
        container,
        probe,
        freezer,
        root,
        owners,
        snapshotting,
      }),
  }
}

/** @param cgroupFile any file in the container's cgroup */
async function ownUse(written: readonly string[], cgroupFile: string | undefined): Promise<number> {
  const signal = AbortSignal.timeout(60_000)
  const [named, deleted] = await Promise.all([
    directoryUse(written, signal),
    cgroupFile === undefined ? 0 : deletedUse(dirname(cgroupFile), signal),
  ])
  return named + deleted
}

async function existing(directories: readonly string[]): Promise<string[]> {
  const found = await Promise.all(
    directories.map((directory) =>
      stat(directory).then(
        () => true,
        () => false,
      ),
    ),
  )
  return directories.filter((_, index) => found[index])
}

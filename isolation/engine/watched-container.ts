import { readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Fault } from '../../base/errors.js'
import type { MappedOwners } from '../archive/mapped-owners.js'
import { findCgroupFiles, readCounts } from './cgroup-files.js'
import { readDirectoryIfExists } from '../../base/read-directory.js'
import type { Container } from './container.js'
import { deletedUse } from './deleted-use.js'
import { directoryUse, existingDirectories, filesystemUse } from './disk-use.js'
import type { FreezeHooks } from '../isolation.js'
import { isStatus } from './engine-errors.js'
import type { EngineSettings } from './engine-settings.js'
import { Freezer } from './freezer.js'
import type { LimitProbe } from './limit-watch.js'
import { findRootDirectories } from './root-directories.js'
import { identityOf, RootTree } from './root-tree.js'
import { RunningContainer } from './running-container.js'
import type { RunningParts, Snapshotting } from './running-parts.js'
import { hostProcess } from './unnoticed-end.js'
import { whyNotRunnable, type Obstacle, type ProgramPlan } from './why-not-runnable.js'

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
 * @param hooks called at each freeze
 * @param owners those for which the root and `alsoWritten` were made
 * Throws `Unavailable` (`engine-changed`) if the container has others, and as `findRootDirectories` does.
 */
export async function watchedContainer(
  surroundings: Surroundings,
  container: Container,
  pid: number,
  alsoWritten: readonly string[],
  hooks: FreezeHooks,
  owners: MappedOwners | undefined,
): Promise<{
  /** What keeps the program from being executed. Never rejects. */
  obstacle(plan: ProgramPlan): Promise<Obstacle | undefined>
  run(
    parts: Omit<RunningParts, 'container' | 'init' | 'probe' | 'freezer' | 'root' | 'owners' | 'snapshotting'>,
  ): RunningContainer
}> {
  const { settings, snapshotting } = surroundings
  const engineDirectory = await settings.directory()
  const root = findRootDirectories(pid, engineDirectory)
  const cgroup = findCgroupFiles(pid, container.id)
  const init = hostProcess(pid)
  settings.confirm(pid, owners)
  // The container can write to /etc/hosts and similar files, which the Engine keeps here: they count against the limit.
  const { existing: written, onePerFilesystem: filesystems } = await existingDirectories([
    root.upper,
    ...alsoWritten,
    // Nothing is mounted in them while the container runs.
    join(engineDirectory, 'containers', container.id),
  ])
  const freezer = new Freezer(
    (noRetry) => container.pause(noRetry),
    () => container.unpause(),
    hooks,
  )
  const probe: LimitProbe = {
    counts: () => readCounts(cgroup),
    wasOutOfMemory: () => container.wasOutOfMemory().catch(falseIfRemoved),
    eventFiles: [cgroup.pidsEvents, cgroup.memoryEvents],
    filesystemUseBefore: await filesystemUse(filesystems),
    filesystemUse: () => filesystemUse(filesystems),
    ownUse: (took) => freezer.whileFrozen(() => ownUse(written, cgroup.pidsEvents), took),
  }
  return {
    obstacle: (plan) => obstacleOf(pid, root.upper, plan).catch(() => undefined),
    run: (parts) =>
      new RunningContainer({
        ...parts,
        container,
        init,
        probe,
        freezer,
        root,
        owners,
        snapshotting,
      }),
  }
}

function falseIfRemoved(error: unknown): false {
  if (isStatus(error, 404)) return false
  throw error
}

/** Of one measurement, in milliseconds. The container is frozen for so long. */
const MEASURE_DEADLINE_MS = 30_000

/** @param cgroupFile any file in the container's cgroup */
async function ownUse(written: readonly string[], cgroupFile: string): Promise<number> {
  const signal = AbortSignal.timeout(MEASURE_DEADLINE_MS)
  try {
    const [named, deleted] = await Promise.all([directoryUse(written, signal), deletedUse(dirname(cgroupFile), signal)])
    return named + deleted
  } catch (error) {
    if (!signal.aborted) throw error
    throw new Fault(
      'measurement-too-slow',
      `What the container has written could not be measured within ${MEASURE_DEADLINE_MS / 1000} s: write fewer files, or use a faster disk.`,
      { cause: error },
    )
  }
}

async function obstacleOf(pid: number, upper: string, plan: ProgramPlan): Promise<Obstacle | undefined> {
  const root = new RootTree(`/proc/${pid}/root`, identityOf(pid))
  // Before the program is started, the upper directory has only what the Engine has made.
  const isMade = async (directory: string) => directory !== '/' && (await exists(join(upper, directory)))
  return await whyNotRunnable(root, plan, isMade, (await emulates()) ? 'any' : process.arch)
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  )
}

const BINFMT = '/proc/sys/fs/binfmt_misc'

/** Whether the host has an interpreter for ELF programs, as QEMU is one for those of other processors. */
async function emulates(): Promise<boolean> {
  const formats = (await readDirectoryIfExists(BINFMT)).filter((name) => name !== 'register')
  const texts = await Promise.all(formats.map((name) => readFile(join(BINFMT, name), 'utf8')))
  return texts.some((text) => text.includes('magic 7f454c46'))
}

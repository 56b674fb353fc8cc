import type { Compressor } from '../archive/compressor.js'
import type { MappedOwners } from '../archive/mapped-owners.js'
import type { StartHooks } from '../isolation.js'
import type { Limits } from '../launch-plan.js'
import type { Attached, Container } from './container.js'
import type { EndMarks } from './end-marks.js'
import type { Freezer } from './freezer.js'
import type { LimitProbe } from './limit-watch.js'
import type { RootDirectories } from './root-directories.js'
import type { HostProcess } from './unnoticed-end.js'
import type { Obstacle } from './why-not-runnable.js'

/** What snapshots of all containers have in common. */
export interface Snapshotting {
  /** Chosen at the first call. */
  readonly compressor: () => Promise<Compressor>
  /** The files that stagerd puts into each root: content by absolute path. */
  readonly givenFiles: ReadonlyMap<string, string>
}

export interface RunningParts {
  readonly container: Container
  readonly init: HostProcess
  readonly attached: Attached
  readonly limits: Limits
  readonly workingDirectory: string
  readonly hooks: Pick<StartHooks, 'output' | 'ending'>
  readonly publishedPorts: readonly number[]
  /** Aborted, with the reason, when the host can no longer isolate the container, or the Engine has ended. */
  readonly lost: AbortSignal
  /** Resolves when `lost` is known to be aborted if the Engine has ended the container by its own end. Never rejects. */
  readonly confirm: () => Promise<void>
  readonly probe: LimitProbe
  /** Shared with `probe`, whose `ownUse` freezes the container too. */
  readonly freezer: Freezer
  readonly root: RootDirectories
  /** What keeps the program from being executed, as far as that is known. */
  readonly obstacle: Obstacle | undefined
  readonly owners: MappedOwners | undefined
  readonly snapshotting: Snapshotting
  /** Of a keepable container. */
  readonly marks?: EndMarks | undefined
  /** By default GRACE_MS. */
  readonly graceMs?: number
  /** For tests; by default those of the watches. */
  readonly noticeMs?: number
  readonly retryMs?: number
}

import { Mutex } from '../../base/mutex.js'
import { Conflict, messageOf } from '../../base/errors.js'
import type { KeptContainer as KeptContainerPort, Shell, ShellHooks } from '../kept-container.js'
import type { Limits, ShellPlan } from '../launch-plan.js'
import type { Container } from './container.js'
import { ContainerShell } from './container-shell.js'
import type { Freezer } from './freezer.js'
import { LimitWatch, type LimitProbe } from './limit-watch.js'

export interface KeptParts {
  readonly container: Container
  /** Held. */
  readonly freezer: Freezer
  readonly probe: LimitProbe
  /** Of its program. */
  readonly workingDirectory: string
  /** Those of its program. */
  readonly limits: Limits
  /** Resolves when the container has ended, or the Engine is lost. */
  readonly gone: Promise<unknown>
  /** Aborted, with the reason, when the host can no longer isolate the container. */
  readonly unsafe: AbortSignal
}

/** What shells may write to a container that is over its limit already, so that one can work in it. */
const DISK_ALLOWANCE_BYTES = 64 * 2 ** 20

/**
 * What a shell may start in a container that is at its limit already. Processes that have ended count until the init
 * collects them, and most shells, as an init, collect those of others only while they wait. To start a process, runc
 * needs a handful of threads.
 */
const PIDS_ALLOWANCE = 64

/**
 * A container whose program is over.
 *
 * INVARIANTS
 * - It is frozen, except while a shell is open.
 * - While it is not frozen, its use of the disk is watched. The kernel enforces the other limits.
 */
export class KeptContainer implements KeptContainerPort {
  readonly lost: Promise<Error>
  #usedBytes: number | undefined
  #hasAllowance = false
  readonly #parts: KeptParts
  readonly #mutex = new Mutex()
  readonly #shells = new Set<ContainerShell>()
  readonly #closed = new AbortController()
  #lose!: (reason: Error) => void
  #watching: AbortController | undefined

  constructor(parts: KeptParts) {
    this.#parts = parts
    this.lost = new Promise((resolve) => (this.#lose = resolve))
    const { gone, unsafe } = parts
    void gone.then(() => this.#lose(new Error('its first process has ended, or the Docker Engine was stopped')))
    const onUnsafe = () => this.#lose(new Error(messageOf(unsafe.reason)))
    unsafe.addEventListener('abort', onUnsafe, { once: true })
    if (unsafe.aborted) onUnsafe()
  }

  get usedBytes(): number | undefined {
    return this.#usedBytes
  }

  /** To be called while it is frozen. Never rejects. */
  async measure(): Promise<void> {
    this.#usedBytes = await this.#parts.probe.ownUse(() => undefined).catch(() => undefined)
  }

  async openShell(plan: ShellPlan, hooks: ShellHooks): Promise<Shell> {
    return await this.#mutex.run(async () => {
      if (this.#closed.signal.aborted)
        throw new Conflict('container-ending', 'The kept container is being released: stage again to keep another.')
      await this.#thaw()
      try {
        const { container, freezer, workingDirectory } = this.#parts
        const shell = await freezer.whileThawed(async () => {
          await this.#allowProcesses()
          return await ContainerShell.open(container, workingDirectory, plan, hooks, this.#closed.signal)
        })
        this.#shells.add(shell)
        void shell.ended.then(() => this.#closeShell(shell))
        return shell
      } catch (error) {
        await this.#freezeIfUnused()
        throw error
      }
    })
  }

  /** No further shell is opened, and those that are open end without an exit code. */
  close(): void {
    this.#closed.abort()
    this.#watching?.abort()
  }

  async #allowProcesses(): Promise<void> {
    if (this.#hasAllowance) return
    const { container, limits } = this.#parts
    await container.limitProcesses(limits.pids + PIDS_ALLOWANCE)
    this.#hasAllowance = true
  }

  #closeShell(shell: ContainerShell): Promise<void> {
    this.#shells.delete(shell)
    return this.#mutex.run(() => this.#freezeIfUnused())
  }

  async #thaw(): Promise<void> {
    if (this.#watching) return
    const { freezer, probe, limits } = this.#parts
    const filesystemUseBefore = (await probe.filesystemUse()) - (this.#usedBytes ?? 0)
    await freezer.endHold()
    const watching = new AbortController()
    this.#watching = watching
    const diskBytes = Math.max(limits.diskBytes, (this.#usedBytes ?? limits.diskBytes) + DISK_ALLOWANCE_BYTES)
    // The counters tell of the limits that its program has hit.
    const diskOnly = { ...probe, counts: () => undefined, eventFiles: [], filesystemUseBefore }
    void new LimitWatch(diskOnly, limitsOf(diskBytes)).untilHit(watching.signal).then((hit) => {
      if (hit?.kind === 'disk-full') this.#lose(new Error('it has reached its disk limit'))
      else if (hit) this.#lose(new Error('what it writes to the disk cannot be measured'))
    })
  }

  /** Never rejects. */
  async #freezeIfUnused(): Promise<void> {
    if (this.#shells.size > 0 || !this.#watching || this.#closed.signal.aborted) return
    this.#watching.abort()
    this.#watching = undefined
    try {
      await this.#parts.freezer.hold()
      await this.measure()
    } catch (error) {
      this.#lose(new Error(`it cannot be frozen: ${messageOf(error)}`))
    }
  }
}

function limitsOf(diskBytes: number): Limits {
  return { diskBytes, memoryBytes: Infinity, cpus: Infinity, pids: Infinity, timeoutMs: Infinity }
}

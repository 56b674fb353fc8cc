import type { Logger } from 'pino'
import { Conflict, messageOf, StagerdError } from '../../base/errors.js'
import type { LogStore } from '../log/log-store.js'
import type { LogWriter } from '../log/log-writer.js'
import type { Bootstrap } from '../model/bootstrap.js'
import type { BootstrapRepository } from '../store/bootstrap-repository.js'
import { BootstrapCancelled } from './build-staging.js'
import { CarryOut } from './carry-out.js'
import type { ItemMaker } from './make-item.js'
import { planItems } from './plan-items.js'
import type { Item, Recipe } from './recipe.js'

export interface BootstrapsParts {
  readonly bootstraps: BootstrapRepository
  readonly maker: Pick<ItemMaker, 'standing' | 'make'>
  readonly readShipped: () => Promise<readonly Recipe[]>
  readonly logs: Pick<LogStore, 'write'>
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>
  /** How often the log tells of a build that goes on, in milliseconds. */
  readonly progressMs?: number
}

interface Running {
  readonly abort: AbortController
  readonly carryOut: CarryOut
  readonly ended: Promise<void>
}

const PROGRESS_MS = 15_000

/**
 * Makes what ships with stagerd and what a node lacks: one bootstrap at a time, in the background.
 *
 * A bootstrap is recorded, so one that a daemon leaves behind is continued by `resume` of the next. It holds no state of
 * its own but its log: each item is compared with what is there, and made where it differs.
 */
export class Bootstraps {
  readonly #parts: BootstrapsParts
  #running: Running | undefined
  #starting: Promise<unknown> = Promise.resolve()
  #stopped = false

  constructor(parts: BootstrapsParts) {
    this.#parts = parts
  }

  /**
   * Starts a bootstrap, or returns the running one if it has the same pipelines.
   *
   * Throws `NotFound` (`pipeline-not-shipped`), `Conflict` (`bootstrap-running`), `Fault` (`bad-installation`).
   *
   * @param pipelines names; empty for all
   */
  start(pipelines: readonly string[]): Promise<Bootstrap> {
    const started = this.#starting.then(() => this.#start([...new Set(pipelines)].sort()))
    this.#starting = started.catch(() => undefined)
    return started
  }

  /**
   * As `start`, but when a running bootstrap of other pipelines has ended. Resolves to undefined when `stop` comes first.
   */
  async startNext(pipelines: readonly string[]): Promise<Bootstrap | undefined> {
    while (!this.#stopped) {
      try {
        return await this.start(pipelines)
      } catch (error) {
        const running = this.#running
        if (!running || !(error instanceof Conflict)) throw error
        await running.ended
      }
    }
    return undefined
  }

  /** Continues what an earlier daemon has left. */
  resume(): Promise<void> {
    const resumed = this.#starting.then(() => this.#resume())
    this.#starting = resumed.catch(() => undefined)
    return resumed
  }

  /** Throws `NotFound` (`bootstrap-not-found`). */
  async get(uuid: string): Promise<Bootstrap> {
    const current = this.#running?.carryOut.bootstrap
    return current?.uuid === uuid ? current : await this.#parts.bootstraps.get(uuid)
  }

  /** Newest first. */
  async list(limit: number): Promise<readonly Bootstrap[]> {
    const current = this.#running?.carryOut.bootstrap
    const all = await this.#parts.bootstraps.list(limit)
    return all.map((one) => (one.uuid === current?.uuid ? current : one))
  }

  /** The bootstrap ends when its builds have been cancelled. Throws `NotFound`, `Conflict` (`bootstrap-ended`). */
  async cancel(uuid: string): Promise<Bootstrap> {
    const found = await this.get(uuid)
    if (this.#running?.carryOut.bootstrap.uuid !== uuid)
      throw new Conflict('bootstrap-ended', `Bootstrap ${uuid} is ${found.state}: there is nothing to cancel.`)
    this.#running.abort.abort(new BootstrapCancelled())
    return found
  }

  /** Leaves the running bootstrap to the next daemon. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#starting
    this.#running?.abort.abort(new Error('stagerd stops'))
    await this.#running?.ended
  }

  async #resume(): Promise<void> {
    const [newest] = this.#running ? [] : await this.#parts.bootstraps.list(1)
    if (newest?.state !== 'running') return
    await this.#run(newest, async () => planItems(await this.#parts.readShipped(), newest.pipelines))
  }

  async #start(pipelines: readonly string[]): Promise<Bootstrap> {
    // A client may ask before the daemon has resumed what was left.
    await this.#resume()
    const current = this.#running?.carryOut.bootstrap
    if (current && current.pipelines.join() === pipelines.join()) return current
    // Refuses unknown names before anything is recorded.
    const items = planItems(await this.#parts.readShipped(), pipelines)
    const bootstrap = await this.#parts.bootstraps.begin(pipelines)
    await this.#run(bootstrap, () => Promise.resolve(items))
    return bootstrap
  }

  async #run(bootstrap: Bootstrap, plan: () => Promise<readonly Item[]>): Promise<void> {
    const { bootstraps, maker, logs, logger, progressMs = PROGRESS_MS } = this.#parts
    const abort = new AbortController()
    const log = await logs.write(bootstrap.uuid)
    const carryOut = new CarryOut(bootstrap, {
      maker,
      plan,
      save: (changed) => bootstraps.save(changed),
      say: (...lines) => sayTo(log, lines, logger),
      progressMs,
    })
    const ended = carryOut
      .run(abort.signal)
      .then(() => report(carryOut.bootstrap, logger))
      .catch((error: unknown) => {
        if (error instanceof StagerdError) logger.warn({ err: error }, 'a bootstrap could not be carried out')
        else logger.error({ err: error }, 'a bootstrap could not be carried out')
      })
      .finally(async () => {
        this.#running = undefined
        await log
          .close()
          .catch((error: unknown) => logger.error({ err: error }, 'the log of a bootstrap is not closed'))
      })
    this.#running = { abort, carryOut, ended }
  }
}

/** Nobody may be following a bootstrap of the settings. */
function report({ uuid, state, message }: Bootstrap, logger: Pick<Logger, 'info' | 'warn'>): void {
  if (state === 'failed') logger.warn({ bootstrap: uuid }, `a bootstrap failed: ${message ?? ''}`)
  else if (state !== 'running') logger.info({ bootstrap: uuid }, `a bootstrap has ${state}`)
}

/** A line that cannot be written does not end a build. */
async function sayTo(log: LogWriter, lines: readonly string[], logger: Pick<Logger, 'error'>): Promise<void> {
  try {
    await log.message(...lines)
  } catch (error) {
    logger.error({ err: error, lines }, `a line of the log of a bootstrap could not be written: ${messageOf(error)}`)
  }
}

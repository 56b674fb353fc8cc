import type { Logger } from 'pino'
import { setTimeout as delay } from 'node:timers/promises'
import { Deferred } from '../../base/deferred.js'
import { Conflict, messageOf, StagerdError, Unavailable } from '../../base/errors.js'
import type { LogStore } from '../log/log-store.js'
import type { LogWriter } from '../log/log-writer.js'
import type { Bootstrap } from '../model/bootstrap.js'
import { bootstrapRunning, type BootstrapRepository } from '../store/bootstrap-repository.js'
import { OwnDuties, type Duties } from '../store/duties.js'
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
  /** Undefined for a node alone. */
  readonly duties?: Duties | undefined
  /** How often a node looks whether another one has left a bootstrap, in milliseconds. */
  readonly lookMs?: number
  /** How often the log tells of a build that goes on, in milliseconds. */
  readonly progressMs?: number
}

interface Running {
  readonly abort: AbortController
  readonly carryOut: CarryOut
  readonly ended: Promise<void>
}

const PROGRESS_MS = 15_000
const LOOK_MS = 30_000
/** Of the node that carries out bootstraps. */
const DUTY = 'bootstrap'
const ELSEWHERE = 'bootstrap-elsewhere'

/**
 * Makes what ships with stagerd and what a node lacks: one bootstrap at a time, in the background.
 *
 * A bootstrap is recorded, so one that a daemon leaves behind is continued by `resume` of the next. It holds no state of
 * its own but its log: each item is compared with what is there, and made where it differs.
 *
 * Of nodes that share a database, one has the duty while it carries a bootstrap out. The others look whether one was left.
 */
export class Bootstraps {
  readonly #parts: BootstrapsParts
  readonly #duties: Duties
  #looking: NodeJS.Timeout | undefined
  readonly #stopping = new AbortController()
  /** Until this node has given the duty back. */
  #onDutyUntil: Promise<unknown> | undefined
  #running: Running | undefined
  #starting: Promise<unknown> = Promise.resolve()
  #stopped = false

  constructor(parts: BootstrapsParts) {
    this.#parts = parts
    this.#duties = parts.duties ?? new OwnDuties()
  }

  /**
   * Starts a bootstrap, or returns the running one if it has the same pipelines.
   *
   * Throws `NotFound` (`pipeline-not-shipped`), `Conflict` (`bootstrap-running`, `bootstrap-elsewhere`), `Fault` (`bad-installation`),
   * and `Unavailable` as `Duties.run`.
   *
   * @param pipelines names; empty for all
   */
  start(pipelines: readonly string[]): Promise<Bootstrap> {
    const started = this.#starting.then(() => this.#start([...new Set(pipelines)].sort()))
    this.#starting = started.catch(() => undefined)
    return started
  }

  /**
   * As `start`, but when a running bootstrap of other pipelines has ended, and this node has a term. Resolves to undefined when `stop`
   * comes first, or another node makes these pipelines.
   */
  async startNext(pipelines: readonly string[]): Promise<Bootstrap | undefined> {
    while (!this.#stopped) {
      try {
        return await this.start(pipelines)
      } catch (error) {
        if (error instanceof Conflict && error.code === ELSEWHERE) return undefined
        if (!isToWait(error)) throw error
        const { lookMs = LOOK_MS } = this.#parts
        const later = delay(lookMs, undefined, { signal: this.#stopping.signal, ref: false }).catch(() => undefined)
        await (this.#running?.ended ?? later)
      }
    }
    return undefined
  }

  /** Continues what an earlier daemon has left. Nodes that share a database go on looking for that. */
  async resume(): Promise<void> {
    const { duties, lookMs = LOOK_MS, logger } = this.#parts
    if (duties && !this.#stopped)
      this.#looking ??= setInterval(() => {
        this.#resumeInTurn().catch((error: unknown) => logger.warn({ err: error }, 'no bootstrap could be looked for'))
      }, lookMs).unref()
    await this.#resumeInTurn().catch((error: unknown) => {
      // It begins a term by itself, and looks again.
      if (!isWithoutTerm(error)) throw error
    })
  }

  #resumeInTurn(): Promise<void> {
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

  /**
   * The bootstrap ends when its builds have been cancelled. Throws `NotFound`, `Conflict` (`bootstrap-ended`, `bootstrap-elsewhere`).
   */
  async cancel(uuid: string): Promise<Bootstrap> {
    const found = await this.get(uuid)
    if (this.#running?.carryOut.bootstrap.uuid !== uuid && found.state === 'running') throw elsewhere(uuid)
    if (this.#running?.carryOut.bootstrap.uuid !== uuid)
      throw new Conflict('bootstrap-ended', `Bootstrap ${uuid} is ${found.state}: there is nothing to cancel.`)
    this.#running.abort.abort(new BootstrapCancelled())
    return found
  }

  /** Leaves the running bootstrap to the next daemon. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#stopping.abort()
    clearInterval(this.#looking)
    await this.#starting
    this.#running?.abort.abort(new Error('stagerd stops'))
    await this.#running?.ended
    await this.#onDutyUntil
  }

  async #resume(): Promise<void> {
    if (this.#stopped || this.#running || (await this.#newest())?.state !== 'running') return
    await this.#onDuty(async () => {
      const newest = await this.#newest()
      if (newest?.state !== 'running') return undefined
      return await this.#run(newest, async () => planItems(await this.#parts.readShipped(), newest.pipelines))
    })
  }

  async #newest(): Promise<Bootstrap | undefined> {
    return (await this.#parts.bootstraps.list(1))[0]
  }

  async #start(pipelines: readonly string[]): Promise<Bootstrap> {
    // A client may ask before the daemon has resumed what was left.
    await this.#resume()
    const isSame = (one: Bootstrap | undefined) => one?.pipelines.join() === pipelines.join()
    const own = this.#running?.carryOut.bootstrap
    const newest = own ?? (await this.#newest())
    if (newest?.state === 'running' && isSame(newest)) {
      if (own) return own
      throw elsewhere(newest.uuid)
    }
    // Refuses unknown names before anything is recorded.
    const items = planItems(await this.#parts.readShipped(), pipelines)
    if (newest?.state === 'running') throw bootstrapRunning(newest)
    // It has its end, and is about to give the duty back.
    await this.#running?.ended
    const begun = await this.#onDuty(async () => {
      const bootstrap = await this.#parts.bootstraps.begin(pipelines)
      return await this.#run(bootstrap, () => Promise.resolve(items))
    })
    if (begun) return begun.carryOut.bootstrap
    throw new Conflict('bootstrap-running', 'Another node begins or ends a bootstrap at this moment: try again.')
  }

  /**
   * Resolves when `begin` has: the duty lasts as long as what it has begun. Undefined if that is nothing, or another node has the
   * duty. Rejects with what `begin` and `Duties.run` throw.
   */
  async #onDuty(begin: () => Promise<Running | undefined>): Promise<Running | undefined> {
    const begun = new Deferred<Running | undefined>()
    const work = async (signal: AbortSignal) => {
      const running = await begin()
      const lose = () => running?.abort.abort(signal.reason)
      signal.addEventListener('abort', lose)
      if (signal.aborted) lose()
      begun.resolve(running)
      await running?.ended
    }
    this.#onDutyUntil = this.#duties.run(DUTY, work).then(
      () => begun.resolve(undefined),
      (error: unknown) => begun.reject(error),
    )
    return await begun.promise
  }

  async #run(bootstrap: Bootstrap, plan: () => Promise<readonly Item[]>): Promise<Running> {
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
    return (this.#running = { abort, carryOut, ended })
  }
}

/** Its log is there, too. */
function elsewhere(uuid: string): Conflict {
  return new Conflict(
    ELSEWHERE,
    `Bootstrap ${uuid} is carried out by another node, or was until a moment ago: ask that one, or try again in a minute.`,
  )
}

function isToWait(error: unknown): boolean {
  return error instanceof Conflict || isWithoutTerm(error)
}

function isWithoutTerm(error: unknown): boolean {
  return error instanceof Unavailable && error.code === 'node-without-term'
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

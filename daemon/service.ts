import type { Logger } from 'pino'
import { messageOf } from '../base/errors.js'
import type { Daemon } from './lifecycle.js'
import type { ServiceManager } from './service-manager.js'
import { changedKeys } from './settings/changed-keys.js'
import { showSettings } from './settings/show-settings.js'
import type { Settings } from './settings/settings.js'

/** How often the status is looked at, in milliseconds. */
const STATUS_EVERY_MS = 10_000

/** What remains of a stop after the drain, in milliseconds: containers are removed, and the last sweep is made. */
const CLEAN_UP_MS = 120_000

export interface ServiceParts {
  readonly daemon: Pick<Daemon, 'status' | 'reload' | 'drain'>
  readonly manager: Pick<ServiceManager, 'ready' | 'status' | 'reloading' | 'stopping'>
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error' | 'level'>
  /** Reads the settings again, from where they came. */
  readonly load: () => Promise<Settings>
}

/** What a running daemon does on behalf of its service manager: status, reload, drain. */
export class Service {
  readonly #parts: ServiceParts
  #settings: Settings
  #timer: NodeJS.Timeout | undefined

  constructor(parts: ServiceParts, settings: Settings) {
    this.#parts = parts
    this.#settings = settings
  }

  async ready(): Promise<void> {
    await this.#parts.manager.ready()
    await this.#showStatus()
    this.#timer = setInterval(() => void this.#showStatus(), STATUS_EVERY_MS).unref()
  }

  /** Wrong settings leave the old ones in place. Never rejects. */
  async reload(): Promise<void> {
    const { daemon, manager, logger, load } = this.#parts
    await manager.reloading().catch(() => undefined)
    try {
      const next = await load()
      const { reloaded, needRestart } = changedKeys(this.#settings, next)
      const { concurrency, drainTimeoutMs, logLevel } = next
      this.#settings = { ...this.#settings, concurrency, drainTimeoutMs, logLevel }
      logger.level = logLevel
      await daemon.reload(next)
      const shown = showSettings(next)
      const settings = Object.fromEntries(reloaded.map((key) => [key, shown[key]]))
      logger.info({ settings }, 'the settings were reloaded')
      if (needRestart.length > 0)
        logger.warn({ settings: needRestart }, `restart stagerd to change ${needRestart.join(', ')}`)
    } catch (error) {
      logger.error(`${messageOf(error)} The settings stay as they were.`)
    }
    await manager.ready().catch(() => undefined)
  }

  /** Resolves when no staging runs, after `drain-timeout`, or when `atOnce` is aborted. Never rejects. */
  async drain(atOnce: AbortSignal): Promise<void> {
    const { daemon, manager, logger } = this.#parts
    const { drainTimeoutMs } = this.#settings
    clearInterval(this.#timer)
    await manager.stopping(drainTimeoutMs + CLEAN_UP_MS).catch(() => undefined)
    await manager.status('Stopping: running stagings may end').catch(() => undefined)
    const deadline = new AbortController()
    const timer = setTimeout(() => deadline.abort(), drainTimeoutMs)
    const ended = await daemon.drain(AbortSignal.any([atOnce, deadline.signal]))
    clearTimeout(timer)
    if (!ended) logger.info('running stagings are interrupted; they continue at the next start')
  }

  async #showStatus(): Promise<void> {
    await this.#parts.manager.status(await this.#parts.daemon.status()).catch(() => undefined)
  }
}

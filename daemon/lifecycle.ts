import type { Logger } from 'pino'
import { CleanupStack } from '../base/cleanup-stack.js'
import { Fault, messageOf } from '../base/errors.js'
import { buildApp, type App, type Surroundings } from './app.js'
import { missingGroup, prepareSocketPath, restrictSocket, unusableSocket } from './control-socket.js'
import { ControlListener } from './control-address.js'
import { listenForNodes } from './node-listener.js'
import type { TlsListener } from './tls-listener.js'
import { expiryWarning, type Certificate, type ServedWithTls } from './control-certificate.js'
import { controlAddressOf } from './settings/control-address.js'
import type { Settings } from './settings/settings.js'
import { loadNativeLibrary } from './store/sqlite/native-library.js'
import { storageError } from './store/storage-errors.js'

/**
 * The daemon without the process.
 *
 * LIFECYCLE: `open` locks the state directory and builds every part. `start` listens and begins to work. `stop` undoes
 * both, in reverse; it may be called in any state, including after a failed `start`.
 */
export class Daemon {
  readonly #app: App
  readonly #settings: Pick<Settings, 'socket' | 'group' | 'control' | 'stateDir' | 'bootstrap'>
  readonly #logger: Pick<Logger, 'info' | 'warn' | 'error'>
  readonly #undo: CleanupStack
  #listener: ControlListener | undefined
  #forNodes: TlsListener | undefined

  /** @param undo what building the parts has registered */
  constructor(
    app: App,
    settings: Pick<Settings, 'socket' | 'group' | 'control' | 'stateDir' | 'bootstrap'>,
    logger: Pick<Logger, 'info' | 'warn' | 'error'>,
    undo: CleanupStack,
  ) {
    this.#app = app
    this.#settings = settings
    this.#logger = logger
    this.#undo = undo
  }

  /**
   * Throws `Conflict` (`state-dir-in-use`, `blobs-in-directory`, `database-in-directory`, `object-store-of-another`), `Unavailable`
   * (`disk-full`, `disk-error`, `object-store-unavailable`, `object-store-refused`, `database-unreachable`, `postgresql-refused`,
   * `postgresql-read-only`), `BadInput` for settings that do not work on this host, `Fault`
   * (`not-root`, `native-library`, and those of the store).
   */
  static async open(settings: Settings, surroundings: Surroundings): Promise<Daemon> {
    if (process.getuid?.() !== 0)
      throw new Fault('not-root', 'stagerd mounts file systems and sets firewall rules, so it must run as root.')
    loadNativeLibrary()
    const undo = new CleanupStack()
    try {
      const app = await buildApp(settings, surroundings, undo)
      return new Daemon(app, settings, surroundings.logger, undo)
    } catch (error) {
      await undo.run()
      throw storageError(error, 'start')
    }
  }

  async start(): Promise<void> {
    const { socket, group, control, stateDir } = this.#settings
    const { api, service, deliveries, runs, bootstraps, verifier, cloudFoundry, forNodes } = this.#app
    const address = controlAddressOf(control)
    await prepareSocketPath(socket)
    // Last in, first out: no new requests first, then the end of the work in progress.
    this.#undo.defer('stop the verification of stored data', () => verifier.stop())
    this.#undo.defer('stop staging', () => service.stop())
    // Before the staging: the builds of a bootstrap go on at the next start.
    this.#undo.defer('stop the bootstrap', () => bootstraps.stop())
    this.#undo.defer('stop the runs', () => runs.stop())
    // Ends of stagings from here on are recorded, and told at the next start.
    this.#undo.defer('stop the staging requests', () => cloudFoundry?.stop())
    this.#undo.defer('stop the webhooks', () => deliveries.stop())
    this.#undo.defer('close the control API', () => api.close())
    await api.listen({ path: socket }).catch((error: unknown) => {
      throw unusableSocket(error, socket)
    })
    if (!(await restrictSocket(socket, group))) this.#logger.warn({ group }, missingGroup(group))
    if (address) {
      this.#listener = await ControlListener.listen(api, address, this.#undo)
      this.#warnOfExpiry(this.#listener.certificate, 'control address')
    }
    if (forNodes) {
      this.#forNodes = await listenForNodes(api, forNodes, this.#undo)
      this.#warnOfExpiry(forNodes.credentials.current, 'node address')
    }
    service.start()
    deliveries.start()
    cloudFoundry?.start()
    verifier.start()
    void this.#bootstrap()
    this.#logger.info({ socket, state: stateDir }, 'stagerd is ready')
  }

  /** Continues what an earlier daemon has left, and makes what the settings ask for. It does not delay the start. */
  async #bootstrap(): Promise<void> {
    const { bootstraps } = this.#app
    try {
      await bootstraps.resume()
      if (this.#settings.bootstrap) await bootstraps.startNext(this.#settings.bootstrap)
    } catch (error) {
      this.#logger.error({ err: error }, 'the bootstrap of the settings could not be started')
    }
  }

  /**
   * Reads the certificates and the keys of the control address and of the node address again. If they cannot be used, the
   * error is logged and new connections get those from before.
   */
  async reloadCertificates(): Promise<void> {
    const listener = this.#listener
    if (listener) await this.#reloadCertificate('control address', () => listener.reloadCertificates())
    const ofNodes = this.#forNodes
    const credentials = this.#app.forNodes?.credentials
    if (ofNodes && credentials)
      await this.#reloadCertificate('node address', async () => {
        await credentials.reload()
        await ofNodes.reload()
        return credentials.current
      })
  }

  async #reloadCertificate(what: ServedWithTls, read: () => Promise<Certificate>): Promise<void> {
    try {
      this.#warnOfExpiry(await read(), what)
      this.#logger.info({}, `the certificate of the ${what} was read again`)
    } catch (error) {
      this.#logger.error({ err: error }, `the certificate of the ${what} cannot be used: the old one stays`)
    }
  }

  #warnOfExpiry(certificate: Certificate, what: ServedWithTls): void {
    const warning = expiryWarning(certificate, what)
    if (warning !== undefined) this.#logger.warn({}, warning)
  }

  /** What `systemctl status` shows: what runs here, and what is queued at all nodes that share the database. Never rejects. */
  async status(): Promise<string> {
    const { readiness, stagingCounts, service, cloudFoundry } = this.#app
    try {
      await readiness.assertReady()
      const { running, queued } = await stagingCounts()
      const fault = cloudFoundry?.status.fault
      return `${running} of at most ${service.limit} stagings running, ${queued} queued${fault === undefined ? '' : `; no requests of Cloud Foundry: ${fault}`}`
    } catch (error) {
      return `Not ready: ${messageOf(error)}`
    }
  }

  /** Applies the settings that need no restart, and reads the certificate of the control address again. */
  async reload({ concurrency }: Pick<Settings, 'concurrency'>): Promise<void> {
    this.#app.service.setLimit(concurrency)
    await this.reloadCertificates()
  }

  /**
   * Lets running stagings end; queued ones wait for the next start. The API still answers, so that they can be followed.
   *
   * @returns whether all have ended before `signal` was aborted
   */
  async drain(signal: AbortSignal): Promise<boolean> {
    const { service, cloudFoundry } = this.#app
    const aborted = new Promise<false>((resolve) => {
      if (signal.aborted) resolve(false)
      else signal.addEventListener('abort', () => resolve(false), { once: true })
    })
    const drained = async () => {
      // Its tasks under way may have stagings that are queued.
      if (cloudFoundry) await Promise.race([cloudFoundry.drain(), aborted])
      service.drain()
      await service.idle()
      return true
    }
    return await Promise.race([drained(), aborted])
  }

  async stop(): Promise<void> {
    for (const { what, error } of await this.#undo.run())
      this.#logger.error({ err: error, what }, 'the daemon did not stop cleanly')
  }
}

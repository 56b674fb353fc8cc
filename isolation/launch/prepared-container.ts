import type Docker from 'dockerode'
import type { CleanupStack } from '../../base/cleanup-stack.js'
import type { Holder } from '../../base/leases.js'
import { settleAll } from '../../base/settle-all.js'
import type { MappedOwners } from '../archive/mapped-owners.js'
import { findRootDirectories } from '../engine/root-directories.js'
import { startLines } from '../engine/container-init.js'
import { containerOptions, type BoundFile, type ContainerRequest } from '../engine/container-options.js'
import { Container, type Attached, type StartedContainer } from '../engine/container.js'
import { EndMarks } from '../engine/end-marks.js'
import { isStatus, startError } from '../engine/engine-errors.js'
import { confirmEngine, watchEngine } from '../engine/engine-watch.js'
import type { RunningContainer } from '../engine/running-container.js'
import { giveSecrets } from '../engine/secret-files.js'
import { WaitingUseGauge } from '../engine/waiting-use.js'
import { watchedContainer, type Surroundings } from '../engine/watched-container.js'
import { launchName } from '../host/ownership.js'
import type { CacheFate, PreparedContainer, ReleaseReport, StartHooks, WaitingUse } from '../isolation.js'
import type { ContainerPlan, MountAheadPlan, PreparePlan, ProxyAddress, StartPlan } from '../launch-plan.js'
import type { LeasedNetwork } from '../network/networks.js'
import type { Layer } from '../layers/layer.js'
import type { AfterContainer } from './after-container.js'
import type { CacheMountParts } from './cache-mount.js'
import { FilledTemplates } from './filled-templates.js'
import { LaunchMounts } from './launch-mounts.js'
import type { StagerfsParts } from './stagerfs.js'
import type { Step } from './step.js'

/** Of a program that ends the others itself, in milliseconds. The stop script of a droplet may take ten seconds. */
const LONG_GRACE_MS = 15_000

export interface StartParts extends Surroundings, Omit<StagerfsParts & CacheMountParts, 'owners'> {
  readonly engine: Docker
  /** Of this node, for containers with egress. */
  readonly proxies: readonly ProxyAddress[]
  /** The seccomp profile of all containers, as JSON. */
  readonly seccomp: string
}

export interface RootImage {
  /** Of the packages, lowest first. The holder keeps them. */
  readonly layers: readonly Layer[]
  readonly reference: string
  /** To be called when the Engine reports that the image does not exist. */
  recreate(signal: AbortSignal): Promise<string>
}

/** The result of `Launcher.prepare`. */
export interface Prepared {
  readonly plan: PreparePlan
  readonly image: RootImage
  /** Open. */
  readonly network: LeasedNetwork
  /** Of the layers and the image, until the undo. */
  readonly holder: Holder
  /** Those for which the layers of the root were made. */
  readonly owners: MappedOwners | undefined
  readonly step: Step
  /** The cleanup of everything that is created for the container, in both phases. It includes `after`. */
  readonly undo: CleanupStack
  readonly after: AfterContainer
}

/** What is bound into a container. */
interface Bound {
  readonly mounts: LaunchMounts
  readonly filled: FilledTemplates | undefined
  readonly files: readonly BoundFile[]
}

type Watched = Awaited<ReturnType<typeof watchedContainer>>

/** What is there of a container before its program starts. */
interface Ready {
  readonly watched: Watched
  readonly obstacle: Awaited<ReturnType<Watched['obstacle']>>
}

/** A container whose init waits for its start lines. */
interface Waiting extends StartedContainer {
  readonly container: Container
  readonly attached: Attached
  readonly bound: Bound
}

/** See `Launcher` for what goes on at the same time, and for the order of the undo. */
export class PreparedDockerContainer implements PreparedContainer {
  readonly address: string
  readonly #parts: StartParts
  readonly #prepared: Prepared
  /** Aborted, with the reason, when the container must be ended. */
  readonly #lost = new AbortController()
  /** Aborted at the end of the connections to the Engine. */
  readonly #connections = new AbortController()
  #hooks: Partial<StartHooks> = {}
  #ahead: Waiting | undefined
  #ready: Promise<Ready> | undefined
  #use: WaitingUseGauge | undefined
  /** Or no launch may have it any more. */
  #isGone = false
  #running: RunningContainer | undefined
  #mounts: LaunchMounts | undefined
  #released: Promise<ReleaseReport> | undefined

  constructor(parts: StartParts, prepared: Prepared) {
    this.#parts = parts
    this.#prepared = prepared
    this.address = prepared.network.bridge.subnet.gateway
  }

  async createAhead(plan: ContainerPlan, signal: AbortSignal): Promise<void> {
    const bound = await this.#bind({ stagerfs: true, cache: true }, signal)
    await bound.mounts.share(signal)
    const created = await this.#create({ ...plan, environment: {} }, bound, signal)
    this.#ahead = await this.#startInit(created, bound, plan, signal)
    const gone = () => (this.#isGone = true)
    void created.wait(this.#connections.signal).then(gone, gone)
    // The shell of the root is to read, and not to talk.
    this.#ahead.attached.once('readable', gone)
    const { pid } = this.#ahead
    const { upper } = findRootDirectories(pid, await this.#parts.settings.directory())
    const written = [upper, ...bound.mounts.written]
    this.#use = await WaitingUseGauge.of({ id: created.id, pid, written, diskBytes: plan.limits.diskBytes })
  }

  get isWaiting(): boolean {
    return this.#ahead !== undefined && !this.#isGone && !this.#lost.signal.aborted && !this.#released
  }

  async waitingUse(): Promise<WaitingUse | undefined> {
    if (!this.isWaiting) return undefined
    // It has ended, or its files cannot be walked in time. Where the kernel does not count at all, the launch will say so.
    const use = await this.#use?.look().catch(() => undefined)
    if (!use) this.#isGone = true
    return use
  }

  async mountAhead(plan: MountAheadPlan, signal: AbortSignal): Promise<void> {
    if (this.#ahead) await this.#makeReady(this.#ahead, plan, signal).catch(() => undefined)
  }

  async start(plan: StartPlan, hooks: StartHooks, signal: AbortSignal): Promise<RunningContainer> {
    const { engine } = this.#parts
    const { publish } = this.#prepared.plan
    this.#hooks = hooks
    const ahead = this.#ahead
    const waiting = ahead ?? (await this.#startNow(plan, hooks, signal))
    const { attached, ports } = waiting
    const [{ watched, obstacle }] = await settleAll([
      this.#makeReady(waiting, plan, signal),
      this.#giveSecrets(waiting, plan, signal),
    ])
    const lost = this.#lost.signal
    signal.throwIfAborted()
    lost.throwIfAborted()
    const marks = plan.keepable === true ? new EndMarks() : undefined
    const variables = ahead ? plan.environment : {}
    const alone = plan.endsItself === true
    attached.write(startLines({ mark: marks?.mark, input: plan.input === true, alone, variables }))
    const publishedPorts = publish.map(({ containerPort }) => Number(ports[`${containerPort}/tcp`]?.[0]?.HostPort))
    const { limits, workingDirectory } = plan
    const confirm = () => confirmEngine(engine)
    const running = {
      ...{ attached, limits, workingDirectory, hooks, publishedPorts, lost, confirm, obstacle, marks },
      ...(alone ? { graceMs: LONG_GRACE_MS } : {}),
    }
    this.#running = watched.run(running)
    return this.#running
  }

  release(cache: CacheFate | Promise<CacheFate> = 'drop'): Promise<ReleaseReport> {
    if (cache !== 'drop' && !this.#released) this.#mounts?.cache?.keepAtEnd(Promise.resolve(cache))
    this.#released ??= this.#release(cache).finally(() => this.#mounts?.cache?.endKeeping())
    return this.#released
  }

  async #release(cache: CacheFate | Promise<CacheFate>): Promise<ReleaseReport> {
    const { step, undo } = this.#prepared
    if ((await cache) === 'drop') this.#mounts?.cache?.drop()
    // The undo would miss what is being mounted.
    await this.#ready?.catch(() => undefined)
    return await step('undo', async () => ({ failures: await (this.#running?.release(undo) ?? undo.run()) }))
  }

  /** One whose init has been started for this launch. */
  async #startNow(plan: StartPlan, hooks: StartHooks, signal: AbortSignal): Promise<Waiting> {
    const wanted = { stagerfs: plan.stagerfs !== undefined, cache: plan.cache !== undefined }
    const bound = await this.#bind(wanted, signal, hooks)
    const [created] = await settleAll([this.#create(plan, bound, signal), bound.mounts.mount(plan, signal)])
    return await this.#startInit(created, bound, plan, signal)
  }

  /** Has all mounted, and finds out where the files and the control group are. Later calls wait for the first. */
  #makeReady(waiting: Waiting, plan: MountAheadPlan, signal: AbortSignal): Promise<Ready> {
    const { plan: prepared, owners, step } = this.#prepared
    const { container, pid, bound } = waiting
    const { mounts, filled } = bound
    const look = async () => {
      const written = [...mounts.written, ...(filled ? [filled.directory] : [])]
      const hooks = { onFreeze: () => this.#hooks.onFreeze?.(), onThaw: () => this.#hooks.onThaw?.() }
      const watched = await watchedContainer(this.#parts, container, pid, written, hooks, owners)
      return { watched, obstacle: await watched.obstacle({ ...plan, user: prepared.user }) }
    }
    const ready = async () => {
      await mounts.mount(plan, signal)
      const mountInside = () => mounts.stagerfs?.mountKernelFilesystems(pid, signal)
      const inside = step('mounts', () => this.#inside(waiting, signal, mountInside))
      // While the programs work that mount.
      const [found] = await settleAll([this.#inside(waiting, signal, look), inside])
      return found
    }
    return (this.#ready ??= ready())
  }

  async #giveSecrets(waiting: Waiting, { secrets }: StartPlan, signal: AbortSignal): Promise<void> {
    if (secrets && secrets.size > 0)
      await this.#inside(waiting, signal, () => giveSecrets(waiting.pid, secrets, signal))
  }

  /** What its first process has to be there for. */
  async #inside<T>({ container, pid }: Waiting, signal: AbortSignal, work: () => T): Promise<Awaited<T>> {
    try {
      container.assertContains(pid)
      return await work()
    } catch (error) {
      if (!signal.aborted) await container.assertRuns()
      throw error
    }
  }

  /** Makes what the Engine binds into the container: it checks the sources when it creates one. Registers the whole undo. */
  async #bind(
    wanted: { readonly stagerfs: boolean; readonly cache: boolean },
    signal: AbortSignal,
    { templates = [] }: Pick<StartHooks, 'templates'> = {},
  ): Promise<Bound> {
    const { engine } = this.#parts
    const { plan, image, holder, owners, step, undo, after } = this.#prepared
    const { id } = plan
    const mounts = new LaunchMounts({ ...this.#parts, owners }, { id, holder, step }, wanted)
    this.#mounts = mounts
    const filled = templates.length > 0 ? new FilledTemplates(this.#parts, id, image.layers) : undefined
    undo.defer('close the connections to the Engine', () => this.#connections.abort())
    mounts.stagerfs?.deferUndo(after)
    filled?.deferUndo(after)
    mounts.cache?.deferUndo(after)
    after.deferContainer(() => new Container(engine, launchName(id)).remove())
    await mounts.makeDirectories()
    return { mounts, filled, files: (await filled?.make(templates, signal)) ?? [] }
  }

  async #create(
    plan: ContainerPlan & Pick<StartPlan, 'environment'>,
    { mounts, files }: Bound,
    signal: AbortSignal,
  ): Promise<Container> {
    const { engine, proxies } = this.#parts
    const { plan: prepared, network, step } = this.#prepared
    const { egress, publish } = prepared
    const lose = (error: unknown) => this.#lost.abort(error)
    const rules = { coordinatorPort: plan.coordinatorPort, egress, proxies, published: publish.length > 0 }
    const events = { restored: () => this.#hooks.repaired?.('firewall rules'), lost: lose }
    const mounted = { stagerfs: mounts.stagerfs?.mountPoint, cache: mounts.cache?.mountPoint, files }
    const request = { ...prepared, ...plan, ...mounted, network: network.bridge.network }
    const [, container] = await settleAll([
      step('firewall', () => network.protect(rules, events, signal)),
      step('create', () => this.#createFrom(request, signal)),
      watchEngine(engine, lose, this.#connections.signal),
    ])
    return container
  }

  async #createFrom(request: Omit<ContainerRequest, 'image' | 'seccomp'>, signal: AbortSignal): Promise<Container> {
    const { engine, owner, seccomp } = this.#parts
    const { image } = this.#prepared
    const create = (reference: string) =>
      Container.create(engine, containerOptions(owner, { ...request, image: reference, seccomp }))
    try {
      return await create(image.reference)
    } catch (error) {
      if (!isStatus(error, 404)) throw startError(error, request)
      return await create(await image.recreate(signal))
    }
  }

  async #startInit(container: Container, bound: Bound, plan: ContainerPlan, signal: AbortSignal): Promise<Waiting> {
    const { plan: prepared, step } = this.#prepared
    signal.throwIfAborted()
    return await step('start', async () => {
      // Not before: the Engine never ends the connection to a container that is removed without having been started.
      const attached = await container.attach(this.#connections.signal)
      try {
        await container.start()
      } catch (error) {
        throw startError(error, { ...prepared, ...plan })
      }
      return { container, attached, bound, ...(await container.inspectStarted()) }
    })
  }
}

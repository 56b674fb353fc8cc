import type Docker from 'dockerode'
import type { CleanupStack } from '../../base/cleanup-stack.js'
import type { Holder } from '../../base/leases.js'
import { settleAll } from '../../base/settle-all.js'
import type { MappedOwners } from '../archive/mapped-owners.js'
import { START_PROGRAM, START_WITH_INPUT, startKeepable } from '../engine/container-init.js'
import { containerOptions, type ContainerRequest } from '../engine/container-options.js'
import { Container, type StartedContainer } from '../engine/container.js'
import { EndMarks } from '../engine/end-marks.js'
import { isStatus, startError } from '../engine/engine-errors.js'
import { confirmEngine, watchEngine } from '../engine/engine-watch.js'
import type { RunningContainer } from '../engine/running-container.js'
import { watchedContainer, type Surroundings } from '../engine/watched-container.js'
import { launchComment, launchName } from '../host/ownership.js'
import type { PreparedContainer, ReleaseReport, StartHooks } from '../isolation.js'
import type { PreparePlan, ProxyAddress, StartPlan } from '../launch-plan.js'
import type { Bridge } from '../network/bridges.js'
import type { FirewallEvents, FirewallGuard } from '../network/firewall-guard.js'
import type { Layer } from '../layers/layer.js'
import type { AfterContainer } from './after-container.js'
import { CacheMount, type CacheMountParts } from './cache-mount.js'
import { FilledTemplates } from './filled-templates.js'
import { Stagerfs, type StagerfsParts } from './stagerfs.js'
import type { Step } from './step.js'

export interface StartParts extends Surroundings, Omit<StagerfsParts & CacheMountParts, 'owners'> {
  readonly engine: Docker
  readonly firewall: FirewallGuard
  /** Of this node, for containers with egress. */
  readonly proxies: readonly ProxyAddress[]
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
  readonly bridge: Bridge
  /** Of the layers and the image, until the undo. */
  readonly holder: Holder
  /** Those for which the layers of the root were made. */
  readonly owners: MappedOwners | undefined
  readonly step: Step
  /** The cleanup of everything that is created for the container, in both phases. It includes `after`. */
  readonly undo: CleanupStack
  readonly after: AfterContainer
}

/** See `Launcher` for what goes on at the same time, and for the order of the undo. */
export class PreparedDockerContainer implements PreparedContainer {
  readonly address: string
  readonly #parts: StartParts
  readonly #prepared: Prepared
  #running: RunningContainer | undefined
  #cache: CacheMount | undefined
  #released: Promise<ReleaseReport> | undefined

  constructor(parts: StartParts, prepared: Prepared) {
    this.#parts = parts
    this.#prepared = prepared
    this.address = prepared.bridge.subnet.gateway
  }

  async start(plan: StartPlan, hooks: StartHooks, signal: AbortSignal): Promise<RunningContainer> {
    const { engine, firewall, owner, proxies } = this.#parts
    const { plan: prepared, image, bridge, holder, owners, step, after } = this.#prepared
    const { id, egress, publish } = prepared
    const stagerfs = plan.stagerfs && new Stagerfs({ ...this.#parts, owners }, { id, holder }, plan.stagerfs)
    const cache = plan.cache && new CacheMount({ ...this.#parts, owners }, { id, holder }, plan.cache)
    this.#cache = cache
    const rules = {
      bridge: bridge.interface,
      gateway: this.address,
      comment: launchComment(owner, id),
      coordinatorPort: plan.coordinatorPort,
      egress,
      proxies,
      published: publish.length > 0,
    }
    const { events, lose, lost } = watchHost(hooks)
    const over = new AbortController()
    this.#prepared.undo.defer('close the connections to the Engine', () => {
      over.abort()
    })
    const { templates = [] } = hooks
    const filled = templates.length > 0 ? new FilledTemplates(this.#parts, id, image.layers) : undefined
    stagerfs?.deferUndo(after)
    filled?.deferUndo(after)
    cache?.deferUndo(after)
    after.defer('remove the firewall rules', (deadline) => firewall.remove(rules, deadline))
    after.deferContainer(() => new Container(engine, launchName(id)).remove())

    // The Engine checks the source of a bind mount when it creates the container.
    await stagerfs?.makeDirectories()
    await cache?.makeDirectories()
    const files = (await filled?.make(templates, signal)) ?? []
    const [, container] = await settleAll([
      step('firewall', () => firewall.add(rules, events, signal)),
      step('create', () =>
        this.#create(
          {
            ...prepared,
            ...plan,
            network: bridge.network,
            stagerfs: stagerfs?.mountPoint,
            cache: cache?.mountPoint,
            files,
          },
          signal,
        ),
      ),
      watchEngine(engine, lose, over.signal),
      stagerfs?.mount(step, signal),
      cache && step('cache', () => cache.mount(signal)),
    ])
    signal.throwIfAborted()

    const { attached, pid, ports } = await step('start', async () => {
      // Not before: the Engine never ends the connection to a container that is removed without having been started.
      const attached = await container.attach(over.signal)
      return { attached, ...(await start(container, { ...prepared, ...plan })) }
    })
    const { watched, obstacle } = await step('mounts', async () => {
      try {
        const written = [stagerfs?.upper, cache?.upper, filled?.directory].filter((path) => path !== undefined)
        const watched = await watchedContainer(this.#parts, container, pid, written, hooks, owners)
        const obstacle = watched.obstacle({ ...plan, user: prepared.user })
        await stagerfs?.mountKernelFilesystems(pid, signal)
        return { watched, obstacle: await obstacle }
      } catch (error) {
        if (!signal.aborted) await container.assertRuns()
        throw error
      }
    })
    signal.throwIfAborted()
    lost.throwIfAborted()
    const marks = plan.keepable === true ? new EndMarks() : undefined
    attached.write(marks ? startKeepable(marks.mark) : plan.input === true ? START_WITH_INPUT : START_PROGRAM)
    const publishedPorts = publish.map(({ containerPort }) => Number(ports[`${containerPort}/tcp`]?.[0]?.HostPort))
    const { limits, workingDirectory } = plan
    const confirm = () => confirmEngine(engine)
    const running = { attached, limits, workingDirectory, hooks, publishedPorts, lost, confirm, obstacle, marks }
    this.#running = watched.run(running)
    return this.#running
  }

  release(cache: 'keep' | 'drop' = 'drop'): Promise<ReleaseReport> {
    const { step, undo } = this.#prepared
    if (cache === 'keep' && !this.#released) this.#cache?.keepAtEnd()
    this.#released ??= step('undo', async () => ({
      failures: await (this.#running?.release(undo) ?? undo.run()),
    })).finally(() => this.#cache?.endKeeping())
    return this.#released
  }

  async #create(request: Omit<ContainerRequest, 'image'>, signal: AbortSignal): Promise<Container> {
    const { engine, owner } = this.#parts
    const { image } = this.#prepared
    const create = (reference: string) =>
      Container.create(engine, containerOptions(owner, { ...request, image: reference }))
    try {
      return await create(image.reference)
    } catch (error) {
      if (!isStatus(error, 404)) throw startError(error, request)
      return await create(await image.recreate(signal))
    }
  }
}

/** @returns `lost` is aborted, with the reason, when the container must be ended */
function watchHost(hooks: StartHooks): {
  readonly events: FirewallEvents
  readonly lose: (error: unknown) => void
  readonly lost: AbortSignal
} {
  const lost = new AbortController()
  const lose = (error: unknown) => {
    lost.abort(error)
  }
  return { events: { restored: () => hooks.repaired?.('firewall rules'), lost: lose }, lose, lost: lost.signal }
}

async function start(
  container: Container,
  plan: { readonly user: string; readonly workingDirectory: string },
): Promise<StartedContainer> {
  try {
    await container.start()
  } catch (error) {
    throw startError(error, plan)
  }
  return await container.inspectStarted()
}

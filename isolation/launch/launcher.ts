import type Docker from 'dockerode'
import { CleanupStack, withCleanupFailures } from '../../base/cleanup-stack.js'
import { BadInput } from '../../base/errors.js'
import { isUuid } from '../../base/identifiers.js'
import { AfterContainer } from './after-container.js'
import { Container } from '../engine/container.js'
import { containerOptions, type ContainerRequest } from '../engine/container-options.js'
import { isStatus, startError } from '../engine/engine-errors.js'
import { START_PROGRAM } from '../engine/container-init.js'
import type { RootImages } from '../engine/root-images.js'
import type { RunningContainer } from '../engine/running-container.js'
import { watchedContainer, type Surroundings } from '../engine/watched-container.js'
import type { CoordinatorListener, LaunchHooks, LaunchStep, RunHooks } from '../isolation.js'
import type { ContainerPlan, LaunchPlan, LayerSource, RunPlan } from '../launch-plan.js'
import type { Layer, LayerCache } from '../layers/layer.js'
import type { Bridges } from '../network/bridges.js'
import type { FirewallEvents, FirewallGuard } from '../network/firewall-guard.js'
import { launchComment, launchName, mountSource, type Owner } from '../host/ownership.js'
import { makeScratch, removeScratch, scratchOf } from '../host/scratch.js'
import { settleAll } from '../../base/settle-all.js'
import { makeStagerfs, mountKernelFilesystems, removeStagerfs, stagerfsMount } from './stagerfs.js'
import type { ImageLayer } from '../layers/layer.js'

export interface LauncherParts extends Surroundings {
  readonly engine: Docker
  readonly owner: Owner
  readonly stateDirectory: string
  readonly layers: LayerCache
  readonly images: RootImages
  readonly bridges: Bridges
  readonly firewall: FirewallGuard
  /** Content by absolute path, at the bottom of every /stagerfs. */
  readonly extraFiles: ReadonlyMap<string, string>
  /** On top of the root of every launch. */
  shimLayer(): Promise<ImageLayer>
}

/**
 * Carries out plans. What stands below each other goes on at the same time:
 *
 *   layers ─ image ──────────┐            ┌ firewall ─┐
 *   layers ─ /stagerfs ──────┼─ listener ─┤           ├─ start ─ mounts inside ─ program
 *   network ─────────────────┘            └ container ┘
 *
 * Undo begins with the container. To remove the network takes as long as everything else, so what no longer matters
 * once the container is gone is undone beside it:
 *
 *                ┌ listener ─ network ────────────┐
 *   container ───┤                                ├─ over
 *                └ firewall ─ /stagerfs ─ scratch ┘
 */
export class Launcher {
  constructor(private readonly parts: LauncherParts) {}

  launch(plan: LaunchPlan, hooks: LaunchHooks, signal: AbortSignal): Promise<RunningContainer> {
    return orUndo(plan, async (undo) => {
      const { bridges, extraFiles, firewall, layers, owner, stateDirectory } = this.parts
      const step = timedBy(hooks)
      const scratch = scratchOf(stateDirectory, plan.id)
      undo.defer('release layers and image', () => this.#releaseRoot(plan))
      const after = new AfterContainer(undo)
      after.defer('remove the scratch directory', (deadline) => removeScratch(scratch, deadline))
      after.defer('unmount /stagerfs', (deadline) => removeStagerfs(scratch, deadline))
      undo.defer('remove the network', () => bridges.remove(plan.id))
      const [image, bridge] = await settleAll([
        this.#image(plan, 'with-shim', step, signal),
        step('network', () => bridges.create(plan.id, !plan.egress)),
        this.#layers(plan.stagerfs, plan, step, signal).then((lowers) =>
          step('stagerfs', async () => {
            await makeScratch(scratch, extraFiles)
            await makeStagerfs(stagerfsMount(mountSource(owner), layers.directory, lowers, scratch), signal)
          }),
        ),
      ])
      signal.throwIfAborted()

      const opened: CoordinatorListener[] = []
      undo.defer('close the listener', () => opened[0]?.close())
      const { gateway } = bridge.subnet
      const listener = await step('listener', () => hooks.listen(gateway))
      opened.push(listener)
      const rules = {
        bridge: bridge.interface,
        gateway,
        comment: launchComment(owner, plan.id),
        coordinatorPort: listener.port,
        egress: plan.egress,
        published: false,
      }
      const { concern, lost } = concernOf(hooks)
      after.defer('remove the firewall rules', (deadline) => firewall.remove(rules, deadline))
      after.deferContainer(() => this.#remove(plan))
      const [, { container, attached }] = await settleAll([
        step('firewall', () => firewall.add(rules, concern, signal)),
        step('create', () =>
          this.#create(image, {
            plan,
            network: bridge.network,
            environment: { ...plan.environment, STAGER_URL: listener.url },
            stagerfs: scratch.merged,
            publish: [],
          }),
        ),
      ])
      signal.throwIfAborted()

      const { pid } = await step('start', () => start(container, plan))
      const watched = await step('mounts', async () => {
        const running = await watchedContainer(this.parts, container, pid, [scratch.upper])
        await mountKernelFilesystems(pid, signal)
        return running
      })
      signal.throwIfAborted()
      lost.throwIfAborted()
      attached.write(START_PROGRAM)
      return watched.run({ attached, limits: plan.limits, hooks, publishedPorts: [], lost, undo })
    })
  }

  run(plan: RunPlan, hooks: RunHooks, signal: AbortSignal): Promise<RunningContainer> {
    return orUndo(plan, async (undo) => {
      const { bridges, firewall, owner } = this.parts
      const step = timedBy(hooks)
      const published = plan.publish.length > 0
      undo.defer('release layers and image', () => this.#releaseRoot(plan))
      const after = new AfterContainer(undo)
      undo.defer('remove the network', () => bridges.remove(plan.id))
      const [image, bridge] = await settleAll([
        this.#image(plan, 'plain', step, signal),
        step('network', () => bridges.create(plan.id, !plan.egress && !published)),
      ])
      signal.throwIfAborted()

      const rules = {
        bridge: bridge.interface,
        gateway: bridge.subnet.gateway,
        comment: launchComment(owner, plan.id),
        coordinatorPort: undefined,
        egress: plan.egress,
        published,
      }
      const { concern, lost } = concernOf(hooks)
      after.defer('remove the firewall rules', (deadline) => firewall.remove(rules, deadline))
      after.deferContainer(() => this.#remove(plan))
      const { environment, publish } = plan
      const [, { container, attached }] = await settleAll([
        step('firewall', () => firewall.add(rules, concern, signal)),
        step('create', () =>
          this.#create(image, { plan, network: bridge.network, environment, stagerfs: undefined, publish }),
        ),
      ])
      signal.throwIfAborted()

      const { pid, ports } = await step('start', () => start(container, plan))
      const watched = await watchedContainer(this.parts, container, pid, [])
      signal.throwIfAborted()
      lost.throwIfAborted()
      attached.write(START_PROGRAM)
      const publishedPorts = publish.map(({ containerPort }) => Number(ports[`${containerPort}/tcp`]?.[0]?.HostPort))
      return watched.run({ attached, limits: plan.limits, hooks, publishedPorts, lost, undo })
    })
  }

  async #layers(
    sources: readonly LayerSource[],
    { id }: ContainerPlan,
    step: Step,
    signal: AbortSignal,
  ): Promise<readonly Layer[]> {
    const { layers } = this.parts
    return await step('layers', () => settleAll(sources.map((source) => layers.materialise(source, signal, id))))
  }

  #releaseRoot({ id }: ContainerPlan): void {
    this.parts.layers.release(id)
    this.parts.images.release(id)
  }

  /** What it takes to name, and if it is gone to make again, the image of a root. */
  async #image(plan: ContainerPlan, how: 'with-shim' | 'plain', step: Step, signal: AbortSignal): Promise<RootImage> {
    const { images } = this.parts
    const packages = await this.#layers(plan.root, plan, step, signal)
    return await step('image', async () => {
      const layers = await settleAll(packages.map((layer) => layer.asImageLayer(signal)))
      if (how === 'with-shim') layers.push(await this.parts.shimLayer())
      if (layers.length === 0)
        throw new BadInput(
          'empty-root',
          'A root without any package cannot run: depend on an operating system package.',
        )
      const ensure = () => images.ensure(layers, plan.id)
      return { reference: await ensure(), ensure }
    })
  }

  async #create(image: RootImage, request: Omit<ContainerRequest, 'image'>) {
    const { engine, images, owner } = this.parts
    const create = (reference: string) =>
      Container.create(engine, containerOptions(owner, { ...request, image: reference }))
    let container: Container
    try {
      container = await create(image.reference)
    } catch (error) {
      if (!isStatus(error, 404)) throw startError(error, request.plan)
      // Somebody removed the image since we last saw it.
      images.forget(image.reference)
      container = await create(await image.ensure())
    }
    return { container, attached: await container.attach() }
  }

  async #remove(plan: ContainerPlan): Promise<void> {
    await new Container(this.parts.engine, launchName(plan.id)).remove()
  }
}

interface RootImage {
  readonly reference: string
  ensure(): Promise<string>
}

type Step = <T>(name: LaunchStep, work: () => Promise<T>) => Promise<T>

function timedBy(hooks: RunHooks): Step {
  return async (name, work) => {
    const began = performance.now()
    try {
      return await work()
    } finally {
      hooks.step?.(name, performance.now() - began)
    }
  }
}

/** @returns `lost` is aborted, with the reason, when the container must not go on */
function concernOf(hooks: RunHooks): { readonly concern: FirewallEvents; readonly lost: AbortSignal } {
  const lost = new AbortController()
  const concern = {
    restored: () => hooks.repaired?.('firewall rules'),
    lost: (error: unknown) => {
      lost.abort(error)
    },
  }
  return { concern, lost: lost.signal }
}

async function start(container: Container, plan: ContainerPlan) {
  try {
    await container.start()
  } catch (error) {
    throw startError(error, plan)
  }
  return await container.inspectStarted()
}

/** `work`, or nothing at all: when it fails, everything that it deferred is undone before it rejects. */
async function orUndo<T>(plan: ContainerPlan, work: (undo: CleanupStack) => Promise<T>): Promise<T> {
  if (!isUuid(plan.id))
    throw new BadInput('bad-launch-id', `${JSON.stringify(plan.id)} is not a UUID: a launch needs one.`)
  const undo = new CleanupStack()
  try {
    return await work(undo)
  } catch (error) {
    throw withCleanupFailures(error, await undo.run())
  }
}

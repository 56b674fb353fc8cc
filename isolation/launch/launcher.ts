import { CleanupStack, withCleanupFailures } from '../../base/cleanup-stack.js'
import { BadInput, NotRunnable } from '../../base/errors.js'
import { isUuid } from '../../base/identifiers.js'
import { Holder } from '../../base/leases.js'
import { settleAll } from '../../base/settle-all.js'
import type { MappedOwners } from '../archive/mapped-owners.js'
import type { RootImages } from '../engine/root-images.js'
import type { PreparedContainer, PrepareHooks } from '../isolation.js'
import type { PreparePlan } from '../launch-plan.js'
import type { ImageLayer } from '../layers/layer.js'
import type { Networks } from '../network/networks.js'
import { AfterContainer } from './after-container.js'
import { PreparedDockerContainer, type RootImage, type StartParts } from './prepared-container.js'
import { timedBy, type Step } from './step.js'

export interface LauncherParts extends StartParts {
  readonly images: RootImages
  readonly networks: Networks
  /** What the node puts on top of a root. */
  topLayer(shims: boolean): Promise<ImageLayer | undefined>
}

/**
 * Executes plans. In the diagrams, steps above each other run in parallel:
 *
 *   prepare                 start
 *
 *   layers ─ image ──┐      ┌ firewall ───────────┐
 *                    ├──────┤ container           ├─ start ─ mounts inside ─ program
 *   network ─────────┘      └ layers ─ /stagerfs ─┘
 *
 * The cleanup begins with the container. Where the network is not kept for another launch, removing it takes as long as
 * everything else together, so the rest is removed in parallel with it:
 *
 *                ┌ network and its firewall ┐
 *   container ───┤                          ├─ layers and image released
 *                └ /stagerfs ─ scratch ─────┘
 */
export class Launcher {
  constructor(private readonly parts: LauncherParts) {}

  async prepare(plan: PreparePlan, hooks: PrepareHooks, signal: AbortSignal): Promise<PreparedContainer> {
    const { id, egress, publish } = plan
    if (!isUuid(id)) throw new BadInput('bad-launch-id', `${JSON.stringify(id)} is not a UUID; a launch needs one.`)
    const { networks, settings } = this.parts
    const holder = new Holder()
    const step = timedBy(hooks)
    const undo = new CleanupStack()
    const owners = await settings.owners()
    try {
      undo.defer('release layers and image', () => holder.release())
      const after = new AfterContainer(undo)
      // Docker does not publish ports of an internal network.
      const network = networks.lease(id, { internal: !egress && publish.length === 0 })
      after.deferBeside(
        'give back the network',
        (deadline) => network.giveBack(deadline),
        () => network.abandon(),
      )
      const [image] = await settleAll([
        this.#image(plan, { holder, owners }, step, signal),
        step('network', () => network.open()),
      ])
      signal.throwIfAborted()
      return new PreparedDockerContainer(this.parts, { plan, image, network, holder, owners, step, undo, after })
    } catch (error) {
      throw withCleanupFailures(error, await undo.run())
    }
  }

  async #image(
    { root, shims }: PreparePlan,
    { holder, owners }: { readonly holder: Holder; readonly owners: MappedOwners | undefined },
    step: Step,
    signal: AbortSignal,
  ): Promise<RootImage> {
    const { images, layers: cache } = this.parts
    const packages = await step('layers', () =>
      settleAll(root.map((source) => cache.materialise(source, signal, holder, owners))),
    )
    return await step('image', async () => {
      const layers = await settleAll(packages.map((layer) => layer.asImageLayer(signal)))
      if (layers.length === 0)
        throw new NotRunnable(
          'empty-root',
          'A root without packages cannot run: depend on an operating system package.',
        )
      const top = await this.parts.topLayer(shims)
      if (top) layers.push(top)
      const reference = await images.ensure(layers, holder, signal)
      const recreate = (stop: AbortSignal) => {
        images.forget(reference)
        return images.ensure(layers, holder, stop)
      }
      return { layers: packages, reference, recreate }
    })
  }
}

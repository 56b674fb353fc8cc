import { CleanupStack, withCleanupFailures } from '../../base/cleanup-stack.js'
import { BadInput } from '../../base/errors.js'
import { isUuid } from '../../base/identifiers.js'
import { settleAll } from '../../base/settle-all.js'
import type { MappedOwners } from '../archive/mapped-owners.js'
import type { RootImages } from '../engine/root-images.js'
import type { PreparedContainer, PrepareHooks } from '../isolation.js'
import type { PreparePlan } from '../launch-plan.js'
import type { ImageLayer } from '../layers/layer.js'
import type { Bridges } from '../network/bridges.js'
import { AfterContainer } from './after-container.js'
import { PreparedDockerContainer, type RootImage, type StartParts } from './prepared-container.js'
import { timedBy, type Step } from './step.js'

export interface LauncherParts extends StartParts {
  readonly images: RootImages
  readonly bridges: Bridges
  /** The top layer of a root with shims. */
  shimLayer(): Promise<ImageLayer>
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
 * The cleanup begins with the container. Removing the network takes as long as everything else together, so the rest is
 * removed in parallel with it:
 *
 *                ┌ network ───────────────────────┐
 *   container ───┤                                ├─ layers and image released
 *                └ firewall ─ /stagerfs ─ scratch ┘
 */
export class Launcher {
  constructor(private readonly parts: LauncherParts) {}

  async prepare(plan: PreparePlan, hooks: PrepareHooks, signal: AbortSignal): Promise<PreparedContainer> {
    const { id, egress, publish } = plan
    if (!isUuid(id)) throw new BadInput('bad-launch-id', `${JSON.stringify(id)} is not a UUID; a launch needs one.`)
    const { bridges, images, layers, settings } = this.parts
    const step = timedBy(hooks)
    const undo = new CleanupStack()
    const owners = await settings.owners()
    try {
      undo.defer('release layers and image', () => {
        layers.release(id)
        images.release(id)
      })
      const after = new AfterContainer(undo)
      undo.defer('remove the network', () => bridges.remove(id))
      const [image, bridge] = await settleAll([
        this.#image(plan, owners, step, signal),
        // Docker does not publish ports of an internal network.
        step('network', () => bridges.create(id, !egress && publish.length === 0)),
      ])
      signal.throwIfAborted()
      return new PreparedDockerContainer(this.parts, { plan, image, bridge, owners, step, undo, after })
    } catch (error) {
      throw withCleanupFailures(error, await undo.run())
    }
  }

  async #image(
    { id, root, shims }: PreparePlan,
    owners: MappedOwners | undefined,
    step: Step,
    signal: AbortSignal,
  ): Promise<RootImage> {
    const { images, layers: cache } = this.parts
    const packages = await step('layers', () =>
      settleAll(root.map((source) => cache.materialise(source, signal, id, owners))),
    )
    return await step('image', async () => {
      const layers = await settleAll(packages.map((layer) => layer.asImageLayer(signal)))
      if (shims) layers.push(await this.parts.shimLayer())
      if (layers.length === 0)
        throw new BadInput('empty-root', 'A root without packages cannot run: depend on an operating system package.')
      const reference = await images.ensure(layers, id)
      const recreate = () => {
        images.forget(reference)
        return images.ensure(layers, id)
      }
      return { reference, recreate }
    })
  }
}

import type { Readable } from 'node:stream'
import type { Limits } from '../../isolation/launch-plan.js'
import { EMPTY_METADATA } from '../packages/metadata.js'
import type { Package } from '../packages/package.js'
import type { PackageDraft, PackageRepository } from '../store/repositories.js'
import type { PackageQuota } from '../store/package-quota.js'
import type { ResourceIngest } from '../store/resource-ingest.js'
import { BootstrapCancelled, type BuildHooks, type BuildStaging } from './build-staging.js'
import { find } from './find.js'
import { packScript, packSystem } from './pack-input.js'
import { builderOf, type Item, type Recipe } from './recipe.js'
import { StagerMaker, type StagerMakerParts } from './stager-maker.js'

export interface ItemMakerParts extends Omit<StagerMakerParts, 'receive' | 'publish'> {
  readonly packages: PackageRepository
  readonly ingest: Pick<ResourceIngest, 'receive'>
  readonly quota: PackageQuota
  readonly builds: Pick<BuildStaging, 'run'>
  /** A gzipped tar of programs of the host, with full paths. */
  readonly packHostTools: (signal: AbortSignal) => Promise<Readable>
  /** Of a stager that sets none of its own. */
  readonly limits: Limits
}

export interface MakeHooks extends BuildHooks {
  /** Creates the package of the item when the packages of those before it exist, which decides ties. */
  readonly inOrder: <T>(create: () => Promise<T>) => Promise<T>
}

/** What had to be done. */
export type Made = 'current' | 'kept' | 'made'

/**
 * Makes single items.
 *
 * INVARIANTS
 * - A package gets its name only when it is complete: it is made under a temporary name, which its digest determines. So
 *   an item that was interrupted is continued where it was, also by another process.
 * - What was not made from a recipe is left alone.
 */
export class ItemMaker {
  readonly #parts: ItemMakerParts
  readonly #stagers: StagerMaker

  constructor(parts: ItemMakerParts) {
    this.#parts = parts
    this.#stagers = new StagerMaker({
      ...parts,
      receive: (body, namespace, signal) => this.#receive(body, namespace, signal),
      publish: (temporary, target) => this.#publish(temporary, target),
    })
  }

  /** Whether there is nothing to do for the item; undefined if it must be made. */
  async standing({ recipe, digest }: Item): Promise<Exclude<Made, 'made'> | undefined> {
    if (recipe.kind === 'stager') return await this.#stagers.standing(recipe, digest)
    const found = await find(this.#parts.packages.get(recipe))
    if (!found) return undefined
    if (found.recipe === undefined) return 'kept'
    return found.recipe === digest && found.usable ? 'current' : undefined
  }

  /** Throws `BuildFailed`, the reason of `signal`, and what storage throws. */
  async make({ recipe, digest }: Item, hooks: MakeHooks, signal: AbortSignal): Promise<void> {
    switch (recipe.kind) {
      case 'stager':
        await this.#stagers.make(recipe, digest, signal)
        return
      case 'host-tools': {
        const draft = { ...recipe.metadata, state: 'ready' as const }
        const { uuid } = await this.#temporary(recipe, digest, () => this.#parts.packHostTools(signal), draft, signal)
        await this.#publish({ uuid }, recipe)
        return
      }
      case 'system': {
        const draft = { ...EMPTY_METADATA, dependencies: [{ type: 'os', name: 'host-tools' } as const] }
        const input = () => packSystem(recipe)
        const temporary = await hooks.inOrder(() => this.#temporary(recipe, digest, input, draft, signal))
        await this.#build(temporary, recipe, hooks, signal)
        await this.#parts.packages.update({ uuid: temporary.uuid }, recipe.metadata)
        await this.#publish({ uuid: temporary.uuid }, recipe)
        return
      }
      case 'script': {
        const { depends, buildDepends, version, description } = recipe.script
        const draft = {
          ...EMPTY_METADATA,
          // The stager sets provides and environment when the build is done: neither may take effect during the build.
          dependencies: [...depends, ...buildDepends],
          ...(version === undefined ? {} : { version }),
          ...(description === undefined ? {} : { description }),
        }
        const input = () => Promise.resolve(packScript(recipe))
        const temporary = await hooks.inOrder(() => this.#temporary(recipe, digest, input, draft, signal))
        await this.#build(temporary, recipe, hooks, signal)
        await this.#publish({ uuid: temporary.uuid }, recipe)
        return
      }
    }
  }

  /** The package under its temporary name: that of an interrupted bootstrap, or a new one. */
  async #temporary(
    recipe: Recipe,
    digest: string,
    input: () => Promise<Readable>,
    draft: Omit<PackageDraft, 'namespace' | 'name' | 'resource' | 'recipe'>,
    signal: AbortSignal,
  ): Promise<Package> {
    const { packages } = this.#parts
    const { namespace } = recipe
    const name = `${recipe.name.slice(0, 100)}.bootstrap-${digest.slice(0, 8)}`
    const found = await find(packages.get({ namespace, name }))
    if (found?.recipe === digest) return found
    const resource = await this.#receive(await input(), namespace, signal)
    return await packages.create({ ...draft, namespace, name, resource, recipe: digest })
  }

  async #build(temporary: Package, recipe: Recipe, hooks: BuildHooks, signal: AbortSignal): Promise<void> {
    const { builds, packages } = this.#parts
    // Built already, before an interruption.
    if (temporary.state === 'ready') return
    const pipeline = builderOf(recipe)
    if (!pipeline) throw new TypeError(`nothing builds ${recipe.fqn}`)
    try {
      await builds.run(temporary.uuid, pipeline, hooks, signal)
    } catch (error) {
      // When the daemon stops, the build goes on at its next start.
      if (!signal.aborted || signal.reason instanceof BootstrapCancelled)
        await packages.delete({ uuid: temporary.uuid }).catch(() => undefined)
      throw error
    }
  }

  async #publish(temporary: { readonly uuid: string }, target: { readonly namespace: string; readonly name: string }) {
    const { packages } = this.#parts
    const { namespace, name } = target
    const existing = await find(packages.get({ namespace, name }))
    if (existing) await packages.replace({ uuid: existing.uuid }, { uuid: temporary.uuid })
    else await packages.update({ uuid: temporary.uuid }, { name })
  }

  async #receive(body: Readable, namespace: string, signal: AbortSignal) {
    const { ingest, quota } = this.#parts
    const { resource } = await ingest.receive(body, { maxBytes: await quota.of(namespace) }, signal)
    return resource
  }
}

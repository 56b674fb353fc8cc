import { Deferred } from '../../base/deferred.js'
import { formatCapability } from '../packages/capability.js'
import { providesOf, type Item } from './recipe.js'

/**
 * The order in which the packages of items come to exist. Of packages that provide the same, the one that was imported
 * first is preferred; so that this does not depend on which item is quicker, they are created in the order of the plan.
 */
export class CreationOrder {
  readonly #settled = new Map<string, Deferred<void>>()
  readonly #before = new Map<string, readonly string[]>()

  constructor(items: readonly Item[]) {
    const providers = new Map<string, readonly string[]>()
    for (const { recipe } of items) {
      const provided = providesOf(recipe).map(formatCapability)
      this.#before.set(
        recipe.fqn,
        provided.flatMap((capability) => providers.get(capability) ?? []),
      )
      this.#settled.set(recipe.fqn, new Deferred())
      for (const capability of provided) providers.set(capability, [...(providers.get(capability) ?? []), recipe.fqn])
    }
  }

  /** Calls `create` when all that come before the item are settled. The item is settled when that has ended. */
  async create<T>(fqn: string, create: () => Promise<T>): Promise<T> {
    for (const earlier of this.#before.get(fqn) ?? []) await this.#settled.get(earlier)?.promise
    try {
      return await create()
    } finally {
      this.settle(fqn)
    }
  }

  /** Nothing needs to be created for the item, or nothing can be. */
  settle(fqn: string): void {
    this.#settled.get(fqn)?.resolve()
  }
}

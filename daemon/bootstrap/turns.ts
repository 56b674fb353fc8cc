import { Deferred } from '../../base/deferred.js'
import { formatCapability } from '../packages/capability.js'
import { providesOf, type Item } from './recipe.js'

/**
 * The order in which the packages of items come to exist. Of packages that provide the same, the one that was imported
 * first is preferred; so that this does not depend on which item is quicker, they are created in the order of the plan.
 */
export class Turns {
  readonly #over = new Map<string, Deferred<void>>()
  readonly #before = new Map<string, readonly string[]>()

  constructor(items: readonly Item[]) {
    const providers = new Map<string, readonly string[]>()
    for (const { recipe } of items) {
      const provided = providesOf(recipe).map(formatCapability)
      this.#before.set(
        recipe.fqn,
        provided.flatMap((capability) => providers.get(capability) ?? []),
      )
      this.#over.set(recipe.fqn, new Deferred())
      for (const capability of provided) providers.set(capability, [...(providers.get(capability) ?? []), recipe.fqn])
    }
  }

  /** Calls `create` when the turns of all before the item are over. Its own is over when that has ended. */
  async take<T>(fqn: string, create: () => Promise<T>): Promise<T> {
    for (const earlier of this.#before.get(fqn) ?? []) await this.#over.get(earlier)?.promise
    try {
      return await create()
    } finally {
      this.skip(fqn)
    }
  }

  /** Nothing needs to be created for the item, or nothing can be. */
  skip(fqn: string): void {
    this.#over.get(fqn)?.resolve()
  }
}

import { messageOf } from '../../base/errors.js'
import type { Bootstrap, BootstrapItem, BootstrapState } from '../model/bootstrap.js'
import { BootstrapCancelled, BuildFailed } from './build-staging.js'
import type { ItemMaker } from './make-item.js'
import type { Item } from './recipe.js'
import { CreationOrder } from './creation-order.js'

export interface CarryOutParts {
  readonly maker: Pick<ItemMaker, 'standing' | 'make'>
  readonly plan: () => Promise<readonly Item[]>
  readonly save: (bootstrap: Bootstrap) => Promise<void>
  /** Adds lines to the log. Never rejects. */
  readonly say: (...lines: readonly string[]) => Promise<void>
  readonly progressMs: number
}

/**
 * One bootstrap: makes its items, as many at once as need nothing that is not there yet.
 *
 * An item that fails keeps those that need it from being made, and no others.
 */
export class CarryOut {
  readonly #parts: CarryOutParts
  #bootstrap: Bootstrap

  constructor(bootstrap: Bootstrap, parts: CarryOutParts) {
    this.#bootstrap = bootstrap
    this.#parts = parts
  }

  /** As it stands. */
  get bootstrap(): Bootstrap {
    return this.#bootstrap
  }

  /** Resolves at its end. When `signal` is aborted for another reason than a cancellation, the bootstrap stays running. */
  async run(signal: AbortSignal): Promise<void> {
    const { plan, say } = this.#parts
    let items: readonly Item[]
    try {
      items = await plan()
    } catch (error) {
      await say(messageOf(error))
      await this.#end('failed', messageOf(error))
      throw error
    }
    const known = items.map(({ recipe }) => blank(recipe.fqn))
    this.#bootstrap = { ...this.#bootstrap, items: known }
    await this.#carryOut(items, signal)
    if (signal.aborted && !(signal.reason instanceof BootstrapCancelled)) {
      await say('This node stops; the bootstrap goes on when it is started again, or at another node.')
      return
    }
    await this.#conclude(signal.aborted)
  }

  async #carryOut(items: readonly Item[], signal: AbortSignal): Promise<void> {
    const order = new CreationOrder(items)
    const done = new Map<string, Promise<boolean>>()
    for (const item of items)
      done.set(
        item.recipe.fqn,
        this.#after(
          item,
          item.needs.map((need) => done.get(need) ?? Promise.resolve(true)),
          order,
          signal,
        ).finally(() => order.settle(item.recipe.fqn)),
      )
    await Promise.all(done.values())
  }

  /** Whether the item is there in the end. */
  async #after(item: Item, needed: readonly Promise<boolean>[], order: CreationOrder, signal: AbortSignal) {
    const results = await Promise.all(needed)
    const { recipe, needs } = item
    const { fqn } = recipe
    const missing = needs.find((_need, index) => results[index] === false)
    if (signal.aborted) {
      this.#set(fqn, { state: 'cancelled' })
      return false
    }
    if (missing !== undefined) {
      this.#set(fqn, { state: 'skipped', message: `It needs ${missing}.` })
      await this.#parts.say(`${fqn}: skipped, because it needs ${missing}`)
      return false
    }
    return await this.#make(item, order, signal)
  }

  async #make(item: Item, order: CreationOrder, signal: AbortSignal): Promise<boolean> {
    const { maker, say, progressMs } = this.#parts
    const { fqn } = item.recipe
    const started = performance.now()
    const seconds = () => `${Math.round((performance.now() - started) / 1000)} s`
    let last = ''
    // A build that waits for its turn has nothing to tell.
    const timer = setInterval(() => void (last === '' || say(`${fqn}: ${seconds()}: ${last}`)), progressMs)
    try {
      const standing = await maker.standing(item)
      if (standing !== undefined) {
        this.#set(fqn, { state: standing })
        if (standing === 'kept') await say(`${fqn}: kept, because it was not made from a recipe of stagerd`)
        return true
      }
      this.#set(fqn, { state: 'working' })
      await say(`${fqn}: being made`)
      const hooks = {
        staging: (uuid: string) => this.#set(fqn, { state: 'working', staging: uuid }),
        line: (text: string) => (last = text),
        inOrder: <T>(create: () => Promise<T>) => order.create(fqn, create),
      }
      await maker.make(item, hooks, signal)
      this.#set(fqn, { state: 'made' })
      await say(
        `${fqn}: made in ${seconds()}; ${this.#count('made', 'current', 'kept')} of ${this.#bootstrap.items.length} are there`,
      )
      return true
    } catch (error) {
      await this.#failed(fqn, error, signal)
      return false
    } finally {
      clearInterval(timer)
    }
  }

  async #failed(fqn: string, error: unknown, signal: AbortSignal): Promise<void> {
    if (signal.aborted) {
      this.#set(fqn, { state: 'cancelled' })
      return
    }
    const message = messageOf(error)
    this.#set(fqn, { state: 'failed', message })
    const lines = error instanceof BuildFailed ? error.lastLines : []
    await this.#parts.say(...lines.map((line) => `    ${line}`), `${fqn}: failed: ${message}`)
  }

  async #conclude(cancelled: boolean): Promise<void> {
    const summary = `${this.#count('made')} made, ${this.#count('current', 'kept')} there already`
    const missing = this.#count('failed', 'skipped')
    if (cancelled) {
      await this.#parts.say(`Cancelled: ${summary}.`)
      await this.#end('cancelled', undefined)
    } else if (missing > 0) {
      const failed = this.#bootstrap.items.filter(({ state }) => state === 'failed').map(({ name }) => name)
      await this.#parts.say(`Incomplete: ${summary}, ${missing} missing. Start the bootstrap again to continue.`)
      await this.#end('failed', `${failed.join(', ')} could not be made.`)
    } else {
      await this.#parts.say(`Complete: ${summary}.`)
      await this.#end('succeeded', undefined)
    }
  }

  #count(...states: readonly BootstrapItem['state'][]): number {
    return this.#bootstrap.items.filter(({ state }) => states.includes(state)).length
  }

  async #end(state: BootstrapState, message: string | undefined): Promise<void> {
    this.#bootstrap = { ...this.#bootstrap, state, message, endedAt: new Date().toISOString() }
    await this.#parts.save(this.#bootstrap)
  }

  #set(name: string, change: Partial<BootstrapItem>): void {
    const items = this.#bootstrap.items.map((one) => (one.name === name ? { ...one, ...change } : one))
    this.#bootstrap = { ...this.#bootstrap, items }
  }
}

function blank(name: string): BootstrapItem {
  return { name, state: 'waiting', staging: undefined, message: undefined }
}

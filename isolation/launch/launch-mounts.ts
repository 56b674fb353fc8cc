import type { Holder } from '../../base/leases.js'
import { settleAll } from '../../base/settle-all.js'
import type { StartPlan } from '../launch-plan.js'
import { CacheMount, type CacheMountParts } from './cache-mount.js'
import { Stagerfs, type StagerfsParts } from './stagerfs.js'
import type { Step } from './step.js'

/** What is mounted for one launch. */
export type MountPlan = Pick<StartPlan, 'stagerfs' | 'cache'>

export interface MountsOf {
  /** Of the launch. */
  readonly id: string
  readonly holder: Holder
  readonly step: Step
}

/** /stagerfs and the cache of a container, as far as it has them. LIFECYCLE as of `Stagerfs`. */
export class LaunchMounts {
  readonly stagerfs: Stagerfs | undefined
  readonly cache: CacheMount | undefined
  readonly #step: Step
  #mounting: Promise<unknown> | undefined

  constructor(
    parts: StagerfsParts & CacheMountParts,
    { id, holder, step }: MountsOf,
    wanted: { readonly stagerfs: boolean; readonly cache: boolean },
  ) {
    this.#step = step
    this.stagerfs = wanted.stagerfs ? new Stagerfs(parts, { id, holder }) : undefined
    this.cache = wanted.cache ? new CacheMount(parts, { id, holder }) : undefined
  }

  /** What the container can write here, on the host. */
  get written(): string[] {
    return [this.stagerfs?.upper, this.cache?.upper].filter((path) => path !== undefined)
  }

  async makeDirectories(): Promise<void> {
    await this.stagerfs?.makeDirectories()
    await this.cache?.makeDirectories()
  }

  /** Before the container is created, if it is to be mounted later. */
  async share(signal: AbortSignal): Promise<void> {
    await Promise.all([this.stagerfs?.share(signal), this.cache?.share(signal)])
  }

  /** Later calls wait for the first. */
  async mount({ stagerfs, cache }: MountPlan, signal: AbortSignal): Promise<void> {
    this.#mounting ??= settleAll([
      stagerfs && this.stagerfs?.mount(stagerfs, this.#step, signal),
      cache && this.cache?.mount(cache, this.#step, signal),
    ])
    await this.#mounting
  }
}

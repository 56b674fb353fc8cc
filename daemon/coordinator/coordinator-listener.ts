import type { FreezeHooks } from '../../isolation/isolation.js'

/** The Stager API of one launch, on the host's side of that launch's bridge. Whoever opened it closes it. */
export interface CoordinatorListener {
  readonly port: number
  /** Value of STAGER_URL, without a trailing slash. */
  readonly url: string
  /** To be called at each freeze of the container: a frozen client is not slow. */
  readonly freezeHooks: FreezeHooks
  /**
   * To be called once the container has ended: it waits, but not for long, for the answer to a verdict that is on its way.
   * Idempotent.
   */
  close(): Promise<void>
}

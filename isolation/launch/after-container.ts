import { CleanupStack, type Undo } from '../../base/cleanup-stack.js'
import { Fault, messageOf } from '../../base/errors.js'

/**
 * Undo of what a container must not be without while it may run: its firewall rules, its /stagerfs, its scratch directory.
 *
 * It goes on beside the rest of the launch's undo as soon as the container is gone. When the container could not be
 * removed it is not done at all: that is reported, and left to the sweep, which removes the container first.
 */
export class AfterContainer {
  readonly #stack: CleanupStack
  #mayRun = false

  /** @param undo of the launch; it waits for all of this at its end */
  constructor(private readonly undo: CleanupStack) {
    this.#stack = new CleanupStack(undo.deadlineMs)
    undo.defer('undo what the container stood on', () => this.#finish())
  }

  defer(what: string, undo: Undo): void {
    this.#stack.defer(what, undo)
  }

  /** Register, before the container is made, what removes it. */
  deferContainer(remove: () => Promise<void>): void {
    this.#mayRun = true
    this.undo.defer('remove the container', async () => {
      await remove()
      this.#mayRun = false
      void this.#stack.run()
    })
  }

  async #finish(): Promise<void> {
    if (this.#mayRun)
      throw new Fault(
        'container-may-run',
        'The container may still run, so its firewall rules and files were left to the next sweep.',
      )
    const failures = await this.#stack.run()
    if (failures.length === 0) return
    const said = failures.map(({ what, error }) => `could not ${what}: ${messageOf(error)}`)
    throw new AggregateError(
      failures.map(({ error }) => error),
      said.join('; '),
    )
  }
}

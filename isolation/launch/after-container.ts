import { CleanupStack, type Undo } from '../../base/cleanup-stack.js'
import { Fault, messageOf } from '../../base/errors.js'

/**
 * Cleanup of what a container needs while it may run: its network, its /stagerfs and its scratch directory.
 *
 * It starts when the container has been removed, and runs in parallel with the rest of the cleanup. If the container
 * could not be removed, it does not start: this is reported, and left to a sweep, which removes the container first.
 */
export class AfterContainer {
  readonly #stack: CleanupStack
  #mayRun = false

  /** @param undo the cleanup of the launch, whose last step waits for this one */
  constructor(private readonly undo: CleanupStack) {
    this.#stack = new CleanupStack(undo.deadlineMs)
    undo.defer('clean up after the container', () => this.#finish())
  }

  defer(what: string, undo: Undo): void {
    this.#stack.defer(what, undo)
  }

  /** As `defer`, in parallel with all of these: `leave` is called in place of it where the container may still run. */
  deferBeside(what: string, undo: Undo, leave: () => void): void {
    this.undo.defer(what, async (deadline) => {
      if (this.#mayRun) leave()
      else await undo(deadline)
    })
  }

  /** To be called before the container is created. */
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
        'The container may still be running, so its network and files are left to the next sweep.',
      )
    const failures = await this.#stack.run()
    if (failures.length === 0) return
    const messages = failures.map(({ what, error }) => `could not ${what}: ${messageOf(error)}`)
    throw new AggregateError(
      failures.map(({ error }) => error),
      messages.join('; '),
    )
  }
}

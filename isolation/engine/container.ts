import { setTimeout as delay } from 'node:timers/promises'
import type Docker from 'dockerode'
import { withCleanupFailures } from '../../base/cleanup-stack.js'
import { Fault } from '../../base/errors.js'
import { askEngine, askEngineToRemove, EngineRefusal } from './engine-errors.js'

/** What is known of a container once it runs. */
export interface StartedContainer {
  /** Process id of its init on the host. */
  readonly pid: number
  readonly ports: Readonly<Record<string, readonly { readonly HostPort: string }[] | null>>
}

/** The hijacked connection: frames of output to read, standard input to write. */
export interface Attached extends AsyncIterable<Buffer> {
  write(input: string): void
  destroy(): void
}

/**
 * A process that waits for a disk stands still only when it has what it waits for. runc gives up after a quarter of a
 * second, and thaws the others again; a disk that is busy takes longer.
 */
const FREEZE_PATIENCE_MS = 10_000
const FREEZE_AGAIN_MS = 50

/** As runc words it for control groups of version 1 and 2; Docker adds "unknown" where no more is known. */
const NOT_FROZEN_YET = /unable to freeze(: unknown)?$|waiting for the cgroup to freeze/

/** As runc words it while the Engine has yet to notice that the container has ended: the next time, it says so itself. */
const ENDED_MEANWHILE = /container not running|cannot pause a stopped container/i

/** The calls on one container that we make, each with our errors. */
export class Container {
  readonly #container: Docker.Container
  #pausedByUs = false

  /** @param id as the Engine answered it, or the name */
  constructor(
    engine: Docker,
    readonly id: string,
    private readonly freezePatienceMs = FREEZE_PATIENCE_MS,
  ) {
    this.#container = engine.getContainer(id)
  }

  static async create(engine: Docker, options: Docker.ContainerCreateOptions): Promise<Container> {
    const created = await askEngine('create a container', engine.createContainer(options))
    return new Container(engine, created.id)
  }

  /** Before `start`, so that nothing is missed. */
  async attach(): Promise<Attached> {
    const options = { stream: true, stdin: true, stdout: true, stderr: true, hijack: true }
    // Typed as a plain stream; with `hijack` it is the socket.
    return (await askEngine('attach to a container', this.#container.attach(options))) as unknown as Attached
  }

  async start(): Promise<void> {
    await askEngine('start a container', this.#container.start())
  }

  /** Throws `Fault` (`container-gone`) when it does not run. */
  async inspectStarted(): Promise<StartedContainer> {
    const { State, NetworkSettings } = await askEngine('look at a container', this.#container.inspect())
    if (State.Pid === 0)
      throw new Fault(
        'container-gone',
        `The container ended before its program could begin, with exit code ${State.ExitCode}: ${State.Error || 'no reason given'}.`,
      )
    return { pid: State.Pid, ports: NetworkSettings.Ports }
  }

  /** Whether the kernel killed something in it for want of memory. */
  async wasOutOfMemory(): Promise<boolean> {
    return (await askEngine('look at a container', this.#container.inspect())).State.OOMKilled
  }

  /** Undefined while it runs. */
  async exitCode(): Promise<number | undefined> {
    const { State } = await askEngine('look at a container', this.#container.inspect())
    return State.Running ? undefined : State.ExitCode
  }

  /** Resolves with the exit code, once it has ended. Waits as long as it takes, for ever if the Engine is killed. */
  async wait(): Promise<number> {
    const { StatusCode } = (await this.#container.wait()) as { StatusCode: number }
    return StatusCode
  }

  /**
   * Tells whether `unpause` is to be called: not when it stood still anyway, because it did not run, or because somebody
   * has paused it by hand. Then it stays as they want it.
   *
   * Throws `Fault` (`cannot-freeze`); or that the answer was lost, and then it is thawed if that is possible.
   *
   * @param hurry when aborted, a process that waits for a disk is not waited for any more
   */
  async pause(hurry?: AbortSignal): Promise<boolean> {
    const giveUpAt = performance.now() + this.freezePatienceMs
    for (;;) {
      try {
        await askEngine('freeze a container', this.#container.pause())
        this.#pausedByUs = true
        return true
      } catch (error) {
        if (!(error instanceof EngineRefusal)) throw await this.#undoneIfDone(error)
        // By us if it could not be thawed the last time.
        if (/already paused/i.test(error.reason)) return this.#pausedByUs
        if (/is not running|no such container/i.test(error.reason)) return false
        const isFinal = !(NOT_FROZEN_YET.test(error.reason) || ENDED_MEANWHILE.test(error.reason))
        if (isFinal || hurry?.aborted || performance.now() >= giveUpAt) throw this.#cannotFreeze(error, isFinal)
      }
      await delay(FREEZE_AGAIN_MS, undefined, hurry && { signal: hurry }).catch(() => undefined)
    }
  }

  #cannotFreeze(cause: EngineRefusal, isFinal: boolean): Fault {
    const wayOut = isFinal
      ? 'give the Docker Engine the freezer of control groups, of version 1 or 2'
      : `for ${this.freezePatienceMs / 1000} s one of its processes has been waiting for a disk or a device: let it end that first`
    return new Fault(
      'cannot-freeze',
      `The container cannot be frozen, and files that change while they are read are never those of one moment: ${cause.reason}; ${wayOut}.`,
      { cause },
    )
  }

  /** What the Engine said nothing about it may have done all the same. */
  async #undoneIfDone(error: unknown): Promise<unknown> {
    this.#pausedByUs = true
    try {
      await this.unpause()
      return error
    } catch (failure) {
      return withCleanupFailures(error, [{ what: 'thaw the container', error: failure }])
    }
  }

  async unpause(): Promise<void> {
    try {
      await askEngine('thaw a container', this.#container.unpause())
    } catch (error) {
      // It was killed meanwhile, or thawed by hand.
      if (!(error instanceof EngineRefusal && /not paused|not running|no such container/i.test(error.reason)))
        throw error
    }
    this.#pausedByUs = false
  }

  async signal(name: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    try {
      await askEngine('signal a container', this.#container.kill({ signal: name }))
    } catch (error) {
      if (!(error instanceof EngineRefusal)) throw error
      // It has ended already.
    }
  }

  /** Ends it first if it runs. Also right when there is none. */
  async remove(): Promise<void> {
    try {
      await askEngineToRemove('remove a container', this.#container.remove({ force: true, v: true }))
    } catch (error) {
      // Somebody else removes it already: it is gone when the Engine says so.
      if (!(error instanceof EngineRefusal && /removal of container .* in progress/i.test(error.reason))) throw error
      await askEngineToRemove('remove a container', this.#container.wait({ condition: 'removed' }))
    }
  }
}

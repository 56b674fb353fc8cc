import { setTimeout as delay } from 'node:timers/promises'
import type Docker from 'dockerode'
import { withCleanupFailures } from '../../base/cleanup-stack.js'
import { Fault, NotRunnable } from '../../base/errors.js'
import { readKernelFile } from '../host/kernel-file.js'
import { askEngine, askEngineForConnection, engineError, EngineRefusal, understood } from './engine-errors.js'
import { askEngineToRemove, askEngineToWork } from './engine-work.js'
import { ENDED_BY_SECCOMP } from './seccomp-profile.js'

/** The state of a container that runs. */
export interface StartedContainer {
  /** Process id of init, on the host. */
  readonly pid: number
  readonly ports: Readonly<Record<string, readonly { readonly HostPort: string }[] | null>>
}

/** The hijacked connection: it yields frames of output, and accepts standard input. */
export interface Attached extends AsyncIterable<Buffer> {
  write(input: string | Uint8Array, done?: (error?: Error | null) => void): void
  /** Closes standard input; output continues. */
  end(): void
  destroy(): void
  /** Emits `readable` when there is output, or its end, after `once` has asked for it. */
  once(event: 'close' | 'readable', listener: () => void): unknown
}

/**
 * The kernel freezes a process that waits for a disk only after the disk has responded. runc gives up after a quarter
 * of a second and thaws the other processes; a busy disk takes longer.
 */
const FREEZE_TIMEOUT_MS = 10_000
const FREEZE_RETRY_MS = 50

/** How long the Engine may take to notice that a process has ended, in milliseconds. */
const NOTICE_END_MS = 1_000

/** Messages of runc for cgroups of version 1 and 2. Docker may append "unknown". */
const NOT_FROZEN_YET = /unable to freeze(: unknown)?$|waiting for the cgroup to freeze/

const LOOK = 'look at a container'

const HAS_ENDED = /not running|no such (container|process)|already finished/i

/** What the Engine says of itself, and not of what the runtime has answered. */
function isOfEngine(error: EngineRefusal): boolean {
  return error.code === 'engine-error' && !/OCI runtime/i.test(error.reason)
}

/** Messages of runc before the Engine has noticed the end of the container. The next request gets its own message. */
const ENDED_MEANWHILE = /container not running|cannot pause a stopped container/i

/** The requests to the Engine for one container, with the errors of stagerd. */
export class Container {
  readonly #container: Docker.Container
  #pausedByUs = false

  /** @param id the id or the name */
  constructor(
    private readonly engine: Docker,
    readonly id: string,
    private readonly freezeTimeoutMs = FREEZE_TIMEOUT_MS,
  ) {
    this.#container = engine.getContainer(id)
  }

  static async create(engine: Docker, options: Docker.ContainerCreateOptions): Promise<Container> {
    const what = 'create a container'
    const { id } = await askEngineToWork(engine, what, engine.createContainer(options))
    // Whole: by it, a process is known to be in the container.
    return new Container(engine, understood(what, { id }, (created) => /^[0-9a-f]{64}$/.test(created.id)).id)
  }

  /**
   * To be called right before `start`, so that no output is missed.
   *
   * @param owner closes the connection when it is aborted
   */
  async attach(owner: AbortSignal): Promise<Attached> {
    const options = { stream: true, stdin: true, stdout: true, stderr: true, hijack: true }
    // Typed as a plain stream, but with `hijack` it is the socket.
    const attach = (abortSignal: AbortSignal) =>
      this.#container.attach({ ...options, abortSignal }) as unknown as Promise<Attached>
    return await askEngineForConnection('attach to a container', attach, owner)
  }

  async start(): Promise<void> {
    await this.#work('start a container', this.#container.start())
  }

  /**
   * Throws `NotRunnable` (`no-init`) or `Fault` (`container-gone`) if it does not run, and `EngineRefusal` (`engine-error`) if
   * the Engine has not started it.
   */
  async inspectStarted(): Promise<StartedContainer> {
    const { Id, State, NetworkSettings } = await this.#inspect()
    understood(LOOK, { Id, State }, () => Id === this.id && State.Status !== 'created')
    if (State.Pid === 0) throw endedEarly(State)
    return { pid: State.Pid, ports: (NetworkSettings as Partial<typeof NetworkSettings> | undefined)?.Ports ?? {} }
  }

  /**
   * Throws `EngineRefusal` (`engine-error`) unless this process of the host is in it: what is done in the namespaces of a process
   * must not be done to the host, or to another container.
   */
  assertContains(pid: number): void {
    const cgroups = readKernelFile(`/proc/${pid}/cgroup`)
    understood(LOOK, { Id: this.id, State: { Pid: pid } }, () => cgroups.includes(this.id))
  }

  /** Throws as `inspectStarted`: to be called when it cannot be observed. The Engine learns of its end a little later. */
  async assertRuns(): Promise<void> {
    const noticed = new AbortController()
    const { signal } = noticed
    const late = delay(NOTICE_END_MS, undefined, { signal })
    await Promise.race([this.wait(signal), late]).catch(() => undefined)
    noticed.abort()
    const { State } = await this.#inspect()
    if (!State.Running) throw endedEarly(State)
  }

  /** Whether the OOM killer of the kernel killed a process of it. */
  async wasOutOfMemory(): Promise<boolean> {
    return (await this.#inspect()).State.OOMKilled
  }

  /** Undefined while the container runs. */
  async exitCode(): Promise<number | undefined> {
    const { State } = await this.#inspect()
    return State.Running ? undefined : State.ExitCode
  }

  /**
   * Resolves with the exit code after the end. Has no timeout, and may not settle if the Engine is killed, until `owner`
   * closes the connection.
   */
  async wait(owner: AbortSignal): Promise<number> {
    const what = 'wait for a container'
    try {
      const ended = (await this.#container.wait({ abortSignal: owner })) as { StatusCode: number }
      return understood(what, ended, ({ StatusCode }) => Number.isInteger(StatusCode)).StatusCode
    } catch (error) {
      throw engineError(what, error)
    }
  }

  /**
   * Returns whether the caller must call `unpause`: false if the container does not run, or if a user has paused it;
   * then it stays paused.
   *
   * Throws `Fault` (`cannot-freeze`). If the response is lost, or the Engine fails before it has asked the runtime, it thaws
   * the container if possible, and throws `Unavailable` (`engine-down`) or `EngineRefusal` (`engine-error`).
   *
   * @param noRetry when aborted, it does not wait any longer for a process that waits for a disk
   */
  async pause(noRetry?: AbortSignal): Promise<boolean> {
    const deadline = performance.now() + this.freezeTimeoutMs
    for (;;) {
      try {
        await this.#work('freeze a container', this.#container.pause())
        this.#pausedByUs = true
        return true
      } catch (error) {
        if (!(error instanceof EngineRefusal)) throw await this.#undoLostPause(error)
        // Paused by stagerd if the last thaw failed.
        if (/already paused/i.test(error.reason)) return this.#pausedByUs
        if (/is not running|no such container/i.test(error.reason)) return false
        if (isOfEngine(error)) throw await this.#undoLostPause(error)
        const isFinal = !(NOT_FROZEN_YET.test(error.reason) || ENDED_MEANWHILE.test(error.reason))
        if (isFinal || noRetry?.aborted || performance.now() >= deadline) throw this.#cannotFreeze(error, isFinal)
      }
      await delay(FREEZE_RETRY_MS, undefined, noRetry && { signal: noRetry }).catch(() => undefined)
    }
  }

  #cannotFreeze(cause: EngineRefusal, isFinal: boolean): Fault {
    const remedy = isFinal
      ? 'give the Docker Engine the cgroup freezer, of version 1 or 2'
      : `one of its processes has been waiting for a disk or a device for ${this.freezeTimeoutMs / 1000} s: let it finish first`
    return new Fault(
      'cannot-freeze',
      `The container cannot be frozen, and a snapshot of changing files would not be consistent: ${cause.reason}; ${remedy}.`,
      { cause },
    )
  }

  /** The Engine may have paused the container although its response was lost. */
  async #undoLostPause(error: unknown): Promise<unknown> {
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
      await this.#work('thaw a container', this.#container.unpause())
    } catch (error) {
      // It was killed meanwhile, or a user has thawed it.
      if (!(error instanceof EngineRefusal && /not paused|not running|no such container/i.test(error.reason)))
        throw error
    }
    this.#pausedByUs = false
  }

  /** Succeeds if it has ended. */
  async signal(name: 'SIGTERM' | 'SIGKILL' | 'SIGUSR1' | 'SIGUSR2'): Promise<void> {
    try {
      await this.#work('signal a container', this.#container.kill({ signal: name }))
    } catch (error) {
      // The container may have ended already, and the Engine may not have noticed.
      if (!(error instanceof EngineRefusal && HAS_ENDED.test(error.reason))) throw error
    }
  }

  /** Changes how many processes and threads it may have. It must not be frozen: runc would thaw it for that. */
  async limitProcesses(pids: number): Promise<void> {
    await this.#work('limit a container', this.#container.update({ PidsLimit: pids }))
  }

  /** Prepares a further program; see container-shell.ts. */
  async exec(options: Docker.ExecCreateOptions): Promise<Docker.Exec> {
    return await askEngine('open a shell in a container', this.#container.exec(options))
  }

  async #inspect(): Promise<Docker.ContainerInspectInfo> {
    const found = await askEngine(LOOK, this.#container.inspect())
    return understood(LOOK, found, ({ State: { Pid, Running, ExitCode, OOMKilled } }) => {
      const isState = typeof Running === 'boolean' && typeof OOMKilled === 'boolean'
      return isState && Number.isInteger(Pid) && Pid >= 0 && Number.isInteger(ExitCode)
    })
  }

  #work<T>(what: string, call: Promise<T>): Promise<T> {
    return askEngineToWork(this.engine, what, call)
  }

  /** Kills the container first if it runs. Succeeds if it does not exist. */
  async remove(): Promise<void> {
    const remove = () =>
      askEngineToRemove(this.engine, 'remove a container', this.#container.remove({ force: true, v: true }))
    try {
      await remove()
    } catch (error) {
      if (!(error instanceof EngineRefusal)) throw error
      // Another request is removing it: wait for that.
      if (/removal of container .* in progress/i.test(error.reason))
        await askEngineToRemove(this.engine, 'remove a container', this.#container.wait({ condition: 'removed' }))
      // The Engine has missed its end while containerd was away, and learns of it by killing it in vain.
      else if (/did not receive an exit event/i.test(error.reason)) await remove()
      else throw error
    }
  }
}

/** Nothing but the shell of the root has run so far. The Engine starts a container even if that cannot be executed. */
function endedEarly(state: { readonly ExitCode: number; readonly OOMKilled: boolean; readonly Error: string }): Error {
  const { ExitCode: code, OOMKilled, Error: reason } = state
  // 125: the init has lost its standard input. From 129 on: killed by a signal, from outside unless the filter did it.
  const wasEnded = OOMKilled || code === 125 || (code > 128 && code < 255 && code !== ENDED_BY_SECCOMP)
  if (wasEnded)
    return new Fault(
      'container-gone',
      `The container ended before its program was started, with exit code ${code}: ${reason || 'no reason given'}.`,
    )
  return new NotRunnable(
    'no-init',
    `The /bin/sh of the root cannot run (exit code ${code}): it has to be a shell for the processor of this host, with its dynamic loader and libraries.`,
  )
}

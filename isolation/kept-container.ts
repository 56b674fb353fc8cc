import type { ShellPlan, TerminalSize } from './launch-plan.js'

/** The container of a launch that has ended, frozen with all its processes: isolation.ts has its lifecycle. */
export interface KeptContainer {
  /** Bytes that it has written, measured when it was frozen last; undefined if that has failed. */
  readonly usedBytes: number | undefined
  /** Resolves with the reason when it cannot be kept any longer. */
  readonly lost: Promise<Error>
  /**
   * Thaws the container until the shell has ended. Throws `Conflict` (`container-ending`), `Fault` (`no-shell`) if nothing
   * more can be started in it, and `Unavailable` (`engine-down`).
   */
  openShell(plan: ShellPlan, hooks: ShellHooks): Promise<Shell>
}

export interface ShellHooks {
  /** As `StartHooks.output`. With a terminal, everything is `stdout`. */
  output(stream: 'stdout' | 'stderr', chunk: Buffer): Promise<void>
}

export interface Shell {
  /**
   * The exit code, after all output has been passed on; undefined if that is unknown, because the container was released
   * or lost. Never rejects.
   */
  readonly ended: Promise<number | undefined>
  /** As `RunningContainer.input`. The end of `chunks` is the end of the input only without a terminal. */
  input(chunks: AsyncIterable<Uint8Array>): Promise<void>
  /** For a terminal. Never rejects: a size that cannot be set is not worth an end. */
  resize(size: TerminalSize): Promise<void>
  /** Ends it as the loss of a terminal does, and kills it if it does not end. Idempotent. */
  hangUp(): void
}

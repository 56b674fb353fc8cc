import type { LogWriter } from '../log/log-writer.js'

/**
 * The log of a staging for one launch, whose lines come after all lines of the launch before it. A program may begin while the
 * output of the last one is still being read; what it prints is read when that is over, and so is what there is to say about it.
 */
export class LogInTurn implements Pick<LogWriter, 'message' | 'append' | 'share'> {
  #turn: Promise<void>

  /** @param turn resolves when the launch before has all its lines in the log. What it rejects with, each call throws */
  constructor(
    private readonly log: Pick<LogWriter, 'message' | 'append' | 'share'>,
    turn: Promise<void>,
  ) {
    this.#turn = turn
  }

  /** Resolves when lines of this launch can be written, and its first ones have been. Rejects where they cannot. */
  get turn(): Promise<void> {
    return this.#turn
  }

  /** The first lines of the launch, for which nobody needs to wait. */
  begin(...texts: string[]): void {
    this.#turn = this.message(...texts)
    this.#turn.catch(() => undefined)
  }

  async message(...texts: string[]): Promise<void> {
    await this.#turn
    await this.log.message(...texts)
  }

  async append(stream: 'stdout' | 'stderr', texts: readonly string[]): Promise<void> {
    await this.#turn
    await this.log.append(stream, texts)
  }

  async share(): Promise<void> {
    await this.#turn
    await this.log.share()
  }
}

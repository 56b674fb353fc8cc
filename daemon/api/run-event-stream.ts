import type { Readable } from 'node:stream'
import { whenAborted } from '../../base/when-aborted.js'
import type { OutputStream } from '../../isolation/isolation.js'
import type { RunEvent } from '../documents/run.js'
import type { RunEnding, RunningProgram, RunOutput } from '../runs/run.js'
import { EventLines } from './event-lines.js'

/**
 * The events of one run as newline-delimited JSON. `started` comes first and `ended` last, even if there is output before
 * the start is known.
 */
export class RunEventStream implements RunOutput {
  readonly #lines: EventLines<RunEvent>
  readonly #started: Promise<void>
  #start: () => void = () => undefined

  /** @param node UUID of the one that runs it */
  constructor(
    signal: AbortSignal,
    private readonly node: string,
  ) {
    this.#lines = new EventLines(signal)
    this.#started = new Promise((resolve) => (this.#start = resolve))
    // There is no reader left, so a program that still writes must not wait for one.
    whenAborted(signal, () => this.#start())
  }

  get body(): Readable {
    return this.#lines.body
  }

  /** Output before the start is known waits for it. Resolves when there is room for more, so a slow client slows the program. */
  async output(stream: OutputStream, chunk: Buffer): Promise<void> {
    await this.#started
    await this.#lines.write({ event: 'output', stream, data: chunk.toString('base64') })
  }

  /** Sends all events, and resolves when the last is written. Never rejects. */
  async follow(program: RunningProgram): Promise<void> {
    const started = this.#lines.write({
      event: 'started',
      run: program.id,
      node: this.node,
      ports: [...program.ports],
    })
    this.#start()
    await started
    const ended = await program.ended.catch((error: unknown) => ({ reason: `stagerd-failed: ${String(error)}` }))
    const { exitCode, hint, reason }: RunEnding = ended
    await this.#lines.write({
      event: 'ended',
      ...(exitCode === undefined ? {} : { exit_code: exitCode }),
      reason,
      ...(hint === undefined ? {} : { hint }),
    })
    this.#lines.end()
  }
}

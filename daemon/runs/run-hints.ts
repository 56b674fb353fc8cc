import type { Ending, OutputStream } from '../../isolation/isolation.js'
import { chooseAddressHint, chooseHint } from '../staging/hints/choose-hint.js'
import type { HintContext } from '../staging/hints/hint-rule.js'
import { LineSplitter } from '../staging/lines.js'
import { OutputTail } from '../staging/output-tail.js'

/** Follows the output of a run, for a hint at its end. */
export class RunHints {
  readonly #context: HintContext
  readonly #splitters = { stdout: new LineSplitter(), stderr: new LineSplitter() }
  readonly #tail = new OutputTail()

  constructor(context: HintContext) {
    this.#context = context
  }

  push(stream: OutputStream, chunk: Buffer): void {
    this.#tail.push(this.#splitters[stream].push(chunk))
  }

  /** To be called once, after the last output. Undefined if there is nothing to say. */
  of(ending: Ending): string | undefined {
    for (const stream of ['stdout', 'stderr'] as const) this.#tail.push(this.#splitters[stream].end())
    const { lines } = this.#tail
    switch (ending.kind) {
      case 'exited': {
        const { exitCode } = ending
        return exitCode === 0
          ? chooseAddressHint(lines, this.#context)
          : chooseHint(lines, { ...this.#context, exitCode })
      }
      // The client stops a server, perhaps because it was not reached.
      case 'stopped':
      case 'timeout':
        return chooseAddressHint(lines, this.#context)
      case 'not-runnable':
      case 'out-of-memory':
      case 'disk-full':
      case 'pids-limit':
      case 'engine-lost':
      case 'limits-unknown':
        return undefined
    }
  }
}

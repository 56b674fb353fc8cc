import type { Failure } from '../../model/staging.js'
import { chooseHint } from './choose-hint.js'
import type { HintContext } from './hint-rule.js'

/** A better hint than that of the cause, by the output of the stager; undefined if there is none. */
export function hintOfFailure({ cause }: Failure, output: readonly string[], context: HintContext): string | undefined {
  switch (cause) {
    case 'stager-failed':
    case 'no-verdict':
      return chooseHint(output, context)
    // These are not told by the stager, and their hints name the remedy.
    case 'not-runnable':
    case 'timeout':
    case 'out-of-memory':
    case 'disk-full':
    case 'pids-limit':
    case 'data-limit':
    case 'relaunch-limit':
    case 'unresolved':
    case 'policy':
    case 'fetch-failed':
    case 'infrastructure':
      return undefined
  }
}

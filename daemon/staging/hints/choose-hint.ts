import { ADDRESS_RULES, addressHint } from './addresses.js'
import { BUILD_TOOL_RULES } from './build-tools.js'
import { CERTIFICATE_RULES } from './certificates.js'
import type { HintContext, HintRule } from './hint-rule.js'
import { LOCK_FILE_RULES } from './lock-files.js'
import { MEMORY_RULES } from './memory.js'
import { NETWORK_RULES } from './network.js'
import { PROGRAM_RULES } from './programs.js'
import { REGISTRY_RULES } from './registries.js'
import { RUNTIME_RULES } from './runtimes.js'
import { SCRIPT_RULES } from './scripts.js'
import { findTrace, readableLines } from './trace.js'
import { VENDORED_RULES } from './vendored.js'

/** The order matters: reasons come before what follows from them, such as a module that could not be installed. */
export const HINT_RULES: readonly HintRule[] = [
  ...SCRIPT_RULES,
  ...RUNTIME_RULES,
  ...LOCK_FILE_RULES,
  ...CERTIFICATE_RULES,
  ...NETWORK_RULES,
  ...VENDORED_RULES,
  ...MEMORY_RULES,
  ...REGISTRY_RULES,
  ...BUILD_TOOL_RULES,
  ...ADDRESS_RULES,
  ...PROGRAM_RULES,
]

/**
 * What to do about a program that has failed, by the last lines of its output; undefined if they show no reason that is
 * known: no hint is better than a wrong one.
 */
export function chooseHint(output: readonly string[], context: HintContext): string | undefined {
  const lines = readableLines(output)
  for (const { traces, hint } of HINT_RULES)
    for (const trace of traces) {
      const found = findTrace(trace, lines)
      const text = found && hint(context, found)
      if (text !== undefined) return text
    }
  return addressHint(lines, context)
}

/** The same for a program that has not failed, but may not have been reached. */
export function chooseAddressHint(output: readonly string[], context: HintContext): string | undefined {
  return addressHint(readableLines(output), context)
}

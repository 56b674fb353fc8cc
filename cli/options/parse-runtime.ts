import { quote } from '../../base/fqn.js'
import type { Capability } from '../../daemon/documents/capability.js'
import { UsageError } from './usage-error.js'

/** `node-20`, or `node` for any version; `runtime.node-20` is the same. Throws `UsageError`. */
export function parseRuntime(text: string): Capability {
  const name = text.replace(/^runtime\./, '')
  if (/^[A-Za-z][\w.+-]*$/.test(name)) return { type: 'runtime', name }
  throw new UsageError(
    `${quote(text)} is not a runtime: write NAME-VERSION, such as node-20, or the NAME for any version.`,
  )
}

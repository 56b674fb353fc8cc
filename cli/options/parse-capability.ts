import { quote } from '../../base/fqn.js'
import type { Capability } from '../../daemon/documents/capability.js'
import { UsageError } from './usage-error.js'

export const CAPABILITY_TYPES: readonly Capability['type'][] = ['os', 'runtime', 'file', 'package']

/**
 * Collects the comma-separated values of each use of an option: `runtime.node-18,os.linux`. The first dot separates the
 * type from the name, which may contain more dots. Throws `UsageError`.
 */
export function collectCapabilities(text: string, before: readonly Capability[] | undefined): Capability[] {
  const parts = text.split(',').filter((part) => part !== '')
  if (parts.length === 0) throw invalidCapability(text)
  return [...(before ?? []), ...parts.map(parseCapability)]
}

function parseCapability(text: string): Capability {
  const dot = text.indexOf('.')
  const type = CAPABILITY_TYPES.find((known) => known === text.slice(0, dot))
  const name = text.slice(dot + 1)
  if (dot < 0 || !type || name === '') throw invalidCapability(text)
  return { type, name }
}

function invalidCapability(text: string): UsageError {
  return new UsageError(
    `${quote(text)} is not a capability: write TYPE.NAME, such as runtime.node, with one of the types ${CAPABILITY_TYPES.join(', ')}.`,
  )
}

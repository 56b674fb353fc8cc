import { quote } from '../../base/fqn.js'
import type { Capability } from '../../daemon/documents/capability.js'
import { UsageError } from './usage-error.js'

const TYPES: readonly Capability['type'][] = ['os', 'runtime', 'file', 'package']

/**
 * Collects `type.name`, comma-separated, over every use of the option: `runtime.node-18,os.linux`. Only the first dot
 * divides. Throws `UsageError`.
 */
export function collectCapabilities(text: string, before: readonly Capability[] | undefined): Capability[] {
  const parts = text.split(',').filter((part) => part !== '')
  if (parts.length === 0) throw notOne(text)
  return [...(before ?? []), ...parts.map(parseCapability)]
}

function parseCapability(text: string): Capability {
  const dot = text.indexOf('.')
  const type = TYPES.find((known) => known === text.slice(0, dot))
  const name = text.slice(dot + 1)
  if (dot < 0 || !type || name === '') throw notOne(text)
  return { type, name }
}

function notOne(text: string): UsageError {
  return new UsageError(
    `${quote(text)} is not something to depend on or to provide: write TYPE.NAME with one of the types ${TYPES.join(', ')}, such as runtime.node.`,
  )
}

import { BadInput } from '../../../base/errors.js'
import { formatCapability } from '../capability.js'
import { CAPABILITY_TYPES, type Capability } from '../metadata.js'
import { assertCapability } from '../validate.js'

/** How many are read. A droplet of stagerd has as many as its package. */
const MOST = 64

/** The second line of the startup script: what the package depends on. Empty without dependencies. */
export function dependenciesLine(dependencies: readonly Capability[]): string[] {
  return dependencies.length === 0 ? [] : [`# Dependencies: ${dependencies.map(formatCapability).join(' ')}`]
}

/** What the startup script of a droplet says of its dependencies. Empty for one that stagerd has not made. */
export function recordedDependencies(startup: string): readonly Capability[] {
  const [, line = ''] = /^#![^\n]*\n# Dependencies: ([^\n]*)/.exec(startup) ?? []
  return line
    .split(' ', MOST)
    .map(parsed)
    .filter((one) => one !== undefined)
}

function parsed(text: string): Capability | undefined {
  const dot = text.indexOf('.')
  const type = CAPABILITY_TYPES.find((known) => known === text.slice(0, dot))
  if (type === undefined) return undefined
  const capability = { type, name: text.slice(dot + 1) }
  try {
    assertCapability(capability)
    return capability
  } catch (error) {
    if (error instanceof BadInput) return undefined
    throw error
  }
}

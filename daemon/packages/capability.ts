import type { Capability } from './metadata.js'

/** The written form: `os.linux`. */
export function formatCapability({ type, name }: Capability): string {
  return `${type}.${name}`
}

export function sameCapability(a: Capability, b: Capability): boolean {
  return a.type === b.type && a.name === b.name
}

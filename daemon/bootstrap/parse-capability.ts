import { CAPABILITY_TYPES, type Capability } from '../packages/metadata.js'

/** `type.name`, as files that ship with stagerd write it; the name may contain dots. */
export function parseCapability(text: string): Capability {
  const dot = text.indexOf('.')
  const type = CAPABILITY_TYPES.find((one) => one === text.slice(0, dot))
  if (type === undefined) throw new Error(`${text} is not a capability of the form type.name`)
  return { type, name: text.slice(dot + 1) }
}

export function formatCapability({ type, name }: Capability): string {
  return `${type}.${name}`
}

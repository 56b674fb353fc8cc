import { DEFINITIONS, isDefinition, type DefinitionTree, type Settings } from './settings.js'

/** The values in use by their keys, for a log: without passwords, and without what is not set. */
export function showSettings(settings: Settings): Readonly<Record<string, unknown>> {
  const shown: Record<string, unknown> = {}
  const show = (tree: DefinitionTree, value: unknown): void => {
    if (isDefinition(tree)) shown[tree.key] = withoutPassword(value)
    else
      for (const [name, child] of Object.entries(tree)) show(child, (value as Readonly<Record<string, unknown>>)[name])
  }
  show(DEFINITIONS, settings)
  return shown
}

/** A proxy, or a URL: either may have the name and the password of a user in it. */
function withoutPassword(value: unknown): unknown {
  const text = value instanceof Object && 'url' in value ? value.url : value
  return typeof text === 'string' ? text.replace(/^(\w+:\/\/)[^@/]*@/, '$1…@') : text
}

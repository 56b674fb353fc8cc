import { DEFINITIONS, isDefinition, type DefinitionTree, type Settings } from './settings.js'

export interface ChangedKeys {
  readonly reloaded: readonly string[]
  readonly needRestart: readonly string[]
}

/** The settings that differ, by whether a running daemon can take them over. */
export function changedKeys(before: Settings, after: Settings): ChangedKeys {
  const reloaded: string[] = []
  const needRestart: string[] = []
  const compare = (tree: DefinitionTree, one: unknown, other: unknown): void => {
    if (!isDefinition(tree)) {
      for (const [name, child] of Object.entries(tree)) compare(child, at(one, name), at(other, name))
      return
    }
    if (JSON.stringify(one) !== JSON.stringify(other)) (tree.reloads ? reloaded : needRestart).push(tree.key)
  }
  compare(DEFINITIONS, before, after)
  return { reloaded, needRestart }
}

function at(value: unknown, name: string): unknown {
  return (value as Readonly<Record<string, unknown>>)[name]
}

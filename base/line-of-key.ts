import { parse } from 'smol-toml'

/**
 * The line, from 1, at which a key of a valid TOML document begins. The parser gives no positions: so the line is the one
 * after which the document has the key, less the lines before it that are the beginning of the same value.
 *
 * @param path the key, from the top of the document: names of tables, and indexes of arrays
 */
export function lineOfKey(document: string, ...path: readonly string[]): number {
  const lines = document.split('\n')
  let start = 1
  for (let end = 1; end <= lines.length; end++) {
    const found = tryParse(lines.slice(0, end).join('\n'))
    if (!found) continue
    if (hasKey(found, path)) return start
    start = end + 1
  }
  return start
}

function hasKey(document: object, path: readonly string[]): boolean {
  let at: unknown = document
  for (const key of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return false
    at = Reflect.get(at, key)
  }
  return true
}

function tryParse(document: string): object | undefined {
  try {
    return parse(document)
  } catch {
    return undefined
  }
}

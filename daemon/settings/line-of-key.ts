import { parse } from 'smol-toml'

/**
 * The line, from 1, at which a key of a valid TOML document begins: `names` are those of the tables around it, and its own. The parser gives no positions: so the line is the
 * one after which the document has the key, less the lines before it that are the beginning of the same value.
 */
export function lineOfKey(document: string, names: readonly string[]): number {
  const lines = document.split('\n')
  let start = 1
  for (let end = 1; end <= lines.length; end++) {
    const found = tryParse(lines.slice(0, end).join('\n'))
    if (!found) continue
    if (has(found, names)) return start
    start = end + 1
  }
  return start
}

function has(table: object, names: readonly string[]): boolean {
  let value: unknown = table
  for (const name of names) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return false
    value = Reflect.get(value, name)
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

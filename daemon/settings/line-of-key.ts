import { parse } from 'smol-toml'

/**
 * The line, from 1, at which a key at the top of a valid TOML document begins. The parser gives no positions: so the line is the
 * one after which the document has the key, less the lines before it that are the beginning of the same value.
 */
export function lineOfKey(document: string, key: string): number {
  const lines = document.split('\n')
  let start = 1
  for (let end = 1; end <= lines.length; end++) {
    const found = tryParse(lines.slice(0, end).join('\n'))
    if (!found) continue
    if (Object.hasOwn(found, key)) return start
    start = end + 1
  }
  return start
}

function tryParse(document: string): object | undefined {
  try {
    return parse(document)
  } catch {
    return undefined
  }
}

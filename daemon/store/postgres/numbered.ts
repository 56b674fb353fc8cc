/** A statement as PostgreSQL has it: `$1` for the first parameter, and a name if it is to be prepared once. */
export interface Numbered {
  readonly text: string
  readonly name?: string
}

/** Each connection keeps those that it has prepared. A list of namespaces can have any length, and so any text. */
const MOST_PREPARED = 500

/** Remembers in `known`. A `?` in quotes is no parameter. */
export function numbered(known: Map<string, Numbered>, text: string): Numbered {
  const found = known.get(text)
  if (found) return found
  let count = 0
  const statement = text.replaceAll(/'[^']*'|"[^"]*"|\?/g, (part) => (part === '?' ? `$${++count}` : part))
  if (known.size >= MOST_PREPARED) return { text: statement }
  const made = { text: statement, name: `stagerd-${known.size}` }
  known.set(text, made)
  return made
}

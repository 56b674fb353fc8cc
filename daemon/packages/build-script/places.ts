import type { Entry, Value } from './document.js'
import type { TextPosition } from '../syntax/syntax-error.js'

/** Where the values of a document are, by their keys and indexes: `path`, `env/PORT`, `templates/0/path`. */
export type Places = Readonly<Record<string, TextPosition>>

export function placesOf(entries: readonly Entry[]): Places {
  return Object.fromEntries(entries.flatMap(({ key, value }) => placesIn(key, value)))
}

function placesIn(key: string, value: Value): [key: string, at: TextPosition][] {
  const { line, column } = value.at
  const own: [string, TextPosition] = [key, { line, column }]
  switch (value.kind) {
    case 'string':
    case 'body':
      return [own]
    case 'block':
      return [own, ...value.entries.flatMap((entry) => placesIn(`${key}/${entry.key}`, entry.value))]
    case 'list':
      return [own, ...value.items.flatMap((item, index) => placesIn(`${key}/${index}`, item))]
  }
}

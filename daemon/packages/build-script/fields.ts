import { quote } from '../../../base/fqn.js'
import { SyntaxFault, type TextPosition } from '../syntax/syntax-error.js'
import type { BlockValue, Entry, Value } from './document.js'

/** The entries of one block whose keys are known. */
export class Fields {
  readonly #entries: ReadonlyMap<string, Entry>

  /**
   * Throws `SyntaxFault` for a key that is not among `known`, and for one that stands there twice.
   *
   * @param where for the message: `a build script`
   */
  constructor(
    entries: readonly Entry[],
    readonly at: TextPosition,
    known: readonly string[],
    where: string,
  ) {
    const found = new Map<string, Entry>()
    for (const entry of entries) {
      const { key } = entry
      if (!known.includes(key))
        throw new SyntaxFault(entry.at, `one of the keys of ${where} (${known.join(', ')})`, quote(key))
      assertOnce(entry, found.get(key))
      found.set(key, entry)
    }
    this.#entries = found
  }

  get(key: string): Value | undefined {
    return this.#entries.get(key)?.value
  }

  /** Throws `SyntaxFault` when it is something else than one text. */
  text(key: string): string | undefined {
    const value = this.get(key)
    return value && textOf(value, key)
  }

  /** Throws `SyntaxFault` at the end of the block, so to speak, when it is not there. */
  required(key: string, where: string): string {
    const text = this.text(key)
    if (text === undefined) throw new SyntaxFault(this.at, `the key ${key}`, `${where} without one`)
    return text
  }

  list(key: string): readonly Value[] {
    const value = this.get(key)
    if (!value) return []
    if (value.kind !== 'list') throw new SyntaxFault(value.at, `a list in [ ] for ${key}`, describe(value))
    return value.items
  }
}

export function textOf(value: Value, key: string): string {
  if (value.kind !== 'text') throw new SyntaxFault(value.at, `a text for ${key}`, describe(value))
  return value.text
}

export function blockOf(value: Value, key: string): BlockValue {
  if (value.kind !== 'block') throw new SyntaxFault(value.at, `a block in { } for ${key}`, describe(value))
  return value
}

export function assertOnce(entry: Entry, before: Entry | undefined): void {
  if (before)
    throw new SyntaxFault(entry.at, `${entry.key} once (it is in line ${before.at.line} already)`, quote(entry.key))
}

export function describe(value: Value): string {
  switch (value.kind) {
    case 'text':
      return quote(value.text)
    case 'block':
      return 'a block'
    case 'list':
      return 'a list'
    case 'body':
      return 'a body in ( )'
  }
}

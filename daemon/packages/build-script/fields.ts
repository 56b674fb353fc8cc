import { quote } from '../../../base/fqn.js'
import { nearest } from '../../../base/nearest.js'
import { DocumentSyntaxError, type TextPosition } from '../syntax/syntax-error.js'
import type { BlockValue, Entry, Value } from './document.js'

/** The entries of a block with a known set of keys. */
export class Fields {
  readonly #entries: ReadonlyMap<string, Entry>

  /**
   * Reports a key that is not in `known`, and a duplicate key.
   *
   * @param where what the block describes, for messages: `a build script`
   * @param report throws the mistake, unless the caller collects mistakes; then the entry is left out
   */
  constructor(
    entries: readonly Entry[],
    readonly at: TextPosition,
    known: readonly string[],
    where: string,
    report: (mistake: DocumentSyntaxError) => void = throwMistake,
  ) {
    const found = new Map<string, Entry>()
    for (const entry of entries) {
      const { key } = entry
      const before = found.get(key)
      if (!known.includes(key)) report(unknownKey(entry, known, where))
      else if (before) report(duplicate(entry, before))
      else found.set(key, entry)
    }
    this.#entries = found
  }

  get(key: string): Value | undefined {
    return this.#entries.get(key)?.value
  }

  /** Throws `DocumentSyntaxError` when the value is not a string. */
  string(key: string): string | undefined {
    const value = this.get(key)
    return value && stringOf(value, key)
  }

  /** Throws `DocumentSyntaxError` at the position of the block when the key is missing. */
  required(key: string, where: string): string {
    const text = this.string(key)
    if (text === undefined) throw new DocumentSyntaxError(this.at, `the key ${key}`, `${where} without one`)
    return text
  }

  list(key: string): readonly Value[] {
    const value = this.get(key)
    if (!value) return []
    if (value.kind !== 'list') throw new DocumentSyntaxError(value.at, `a list in [ ] for ${key}`, describe(value))
    return value.items
  }
}

export function stringOf(value: Value, key: string): string {
  if (value.kind !== 'string') throw new DocumentSyntaxError(value.at, `a string for ${key}`, describe(value))
  return value.text
}

export function blockOf(value: Value, key: string): BlockValue {
  if (value.kind !== 'block') throw new DocumentSyntaxError(value.at, `a block in { } for ${key}`, describe(value))
  return value
}

export function assertUnique(entry: Entry, before: Entry | undefined): void {
  if (before) throw duplicate(entry, before)
}

function duplicate({ key, at }: Entry, before: Entry): DocumentSyntaxError {
  return new DocumentSyntaxError(at, `the key ${key} only once (it is already in line ${before.at.line})`, quote(key))
}

function unknownKey({ key, at }: Entry, known: readonly string[], where: string): DocumentSyntaxError {
  const near = nearest(key, known)
  const keys = `one of the keys of ${where} (${known.join(', ')})`
  return new DocumentSyntaxError(at, near === undefined ? keys : `${near}, or another ${keys}`, quote(key))
}

function throwMistake(mistake: DocumentSyntaxError): never {
  throw mistake
}

export function describe(value: Value): string {
  switch (value.kind) {
    case 'string':
      return quote(value.text)
    case 'block':
      return 'a block'
    case 'list':
      return 'a list'
    case 'body':
      return 'a body in ( )'
  }
}

import type { Entry, Value } from '../build-script/document.js'
import { blockOf, describe, Fields } from '../build-script/fields.js'
import type { Mistakes } from '../syntax/mistakes.js'
import { DocumentSyntaxError, type TextPosition } from '../syntax/syntax-error.js'

/** Reads the entries of a block. Mistakes are collected, and what they concern is left out. */
export class BlockReader {
  readonly fields: Fields

  constructor(
    entries: readonly Entry[],
    at: TextPosition,
    known: readonly string[],
    private readonly where: string,
    private readonly mistakes: Mistakes,
  ) {
    this.fields = new Fields(entries, at, known, where, mistakes.report)
  }

  /** The block of `value`. Throws `DocumentSyntaxError` for another value. */
  static of(value: Value, key: string, known: readonly string[], where: string, mistakes: Mistakes): BlockReader {
    const { entries, at } = blockOf(value, key)
    return new BlockReader(entries, at, known, where, mistakes)
  }

  /** An object with the property `name`, or without it if there is no such key, or a mistake. */
  read<const Name extends string, T>(
    key: string,
    name: Name,
    convert: (value: Value, key: string) => T,
  ): { readonly [property in Name]?: T } {
    const value = this.fields.get(key)
    const read = value && this.mistakes.attempt(() => convert(value, key))
    return (read === undefined ? {} : { [name]: read }) as { readonly [property in Name]?: T }
  }

  /** As `read`, for a list. */
  items<const Name extends string, T>(
    key: Name,
    convert: (item: Value, key: string) => T,
  ): { readonly [property in Name]?: readonly T[] } {
    return this.read(key, key, (value) => {
      if (value.kind !== 'list') throw new DocumentSyntaxError(value.at, `a list in [ ] for ${key}`, describe(value))
      return value.items.flatMap((item) => this.mistakes.attempt(() => [convert(item, key)]) ?? [])
    })
  }

  /** Throws `DocumentSyntaxError` at the position of the block. */
  required(key: string): void {
    this.fields.required(key, this.where)
  }
}

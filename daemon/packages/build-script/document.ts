import type { TextPosition } from '../syntax/syntax-error.js'

/**
 * The syntax tree of a document in the language of build scripts and manifests. The reader of the tree checks which
 * keys exist and which values they take.
 */
export type Value = StringValue | BlockValue | ListValue | BodyValue

export interface StringValue {
  readonly kind: 'string'
  readonly text: string
  readonly at: TextPosition
}

/** `{ key: value … }` */
export interface BlockValue {
  readonly kind: 'block'
  readonly entries: readonly Entry[]
  readonly at: TextPosition
}

/** `[ value … ]` */
export interface ListValue {
  readonly kind: 'list'
  readonly items: readonly Value[]
  readonly at: TextPosition
}

/** `( … )`: the raw lines between the parentheses. */
export interface BodyValue {
  readonly kind: 'body'
  readonly text: string
  readonly at: TextPosition
}

export interface Entry {
  readonly key: string
  readonly value: Value
  readonly at: TextPosition
}

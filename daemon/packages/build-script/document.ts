import type { TextPosition } from '../syntax/syntax-error.js'

/**
 * A text in the language of build scripts and manifests, as it is written: which keys there are, and what may stand
 * behind them, is for whoever reads it.
 */
export type Value = TextValue | BlockValue | ListValue | BodyValue

export interface TextValue {
  readonly kind: 'text'
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

/** `( … )`: raw lines, without those of the parentheses. */
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

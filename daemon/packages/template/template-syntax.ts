import type { TextPosition } from '../syntax/syntax-error.js'

/** A parsed template, in the part of the language of Go's text/template that docs/manifest.md describes. */
export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'print'; readonly value: Expression }
  | { readonly kind: 'set'; readonly name: string; readonly value: Expression }
  | {
      readonly kind: 'if'
      readonly condition: Expression
      readonly then: readonly Node[]
      readonly else: readonly Node[]
    }
  | {
      readonly kind: 'range'
      readonly over: Expression
      /** Without the `$`: none, the element, or the key and the element. */
      readonly variables: readonly string[]
      readonly body: readonly Node[]
      readonly else: readonly Node[]
    }

export type Expression = { readonly at: TextPosition } & (
  | { readonly kind: 'literal'; readonly value: string | number | boolean }
  | { readonly kind: 'dot' }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'field'; readonly of: Expression; readonly name: string }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Expression[] }
)

export interface Delimiters {
  readonly left: string
  readonly right: string
}

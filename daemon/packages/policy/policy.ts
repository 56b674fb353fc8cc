import type { Capability } from '../metadata.js'
import type { TextPosition } from '../syntax/syntax-error.js'

/** A parsed policy document: its claims in order, each with its realm. */
export type Policy = readonly Statement[]

export interface Statement {
  readonly realm: Realm
  /** All of them must hold. Conditions of nested blocks are listed from the outermost inward. */
  readonly conditions: readonly Condition[]
  readonly claim: Claim
  readonly at: TextPosition
}

/** `job::/prod`: the namespace and everything below it; `job::/prod::web`: only that one. */
export interface Realm {
  readonly kind: string
  readonly namespace: string
  readonly name: string | undefined
}

/** `dependency equals runtime.ruby`. */
export interface Condition {
  /** `equals` is also written `==`. */
  readonly comparator: 'equals' | 'fqnMatch'
  readonly dependency: Capability
}

export type Claim =
  | { readonly kind: 'allow' | 'default' | 'lock' | 'retire'; readonly target: Target }
  | { readonly kind: 'permit'; readonly verbs: readonly string[] }
  | { readonly kind: 'role'; readonly role: string }
  /** The size of one package, or of all packages of the realm together. */
  | { readonly kind: 'quota'; readonly of: 'package.size' | 'total.package.size'; readonly bytes: number }
  /** How many stagings of packages of the realm may run at once. */
  | { readonly kind: 'concurrency'; readonly limit: number }

/** One package or, without a name, all packages of the namespace and below. */
export interface Target {
  readonly namespace: string
  readonly name: string | undefined
}

/** Whether namespace `inner` is `outer` or below it. */
export function isWithin(inner: string, outer: string): boolean {
  return outer === '/' || inner === outer || inner.startsWith(`${outer}/`)
}

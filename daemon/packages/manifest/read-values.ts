import { quote } from '../../../base/fqn.js'
import { describe, stringOf } from '../build-script/fields.js'
import type { Value } from '../build-script/document.js'
import { DocumentSyntaxError } from '../syntax/syntax-error.js'

/** Readers of single values. All of them throw `DocumentSyntaxError`. */

export function integerOf(value: Value, key: string, least: number, most: number): number {
  const text = stringOf(value, key)
  const number = Number(text)
  if (/^\d{1,15}$/.test(text) && number >= least && number <= most) return number
  throw new DocumentSyntaxError(value.at, `a whole number from ${least} to ${most} for ${key}`, quote(text))
}

export function booleanOf(value: Value, key: string): boolean {
  const text = stringOf(value, key)
  if (text === 'true' || text === 'false') return text === 'true'
  throw new DocumentSyntaxError(value.at, `true or false for ${key}`, quote(text))
}

export function oneOf<const Choice extends string>(value: Value, key: string, choices: readonly Choice[]): Choice {
  const text = stringOf(value, key)
  const found = choices.find((choice) => choice === text)
  if (found !== undefined) return found
  throw new DocumentSyntaxError(value.at, `${choices.join(' or ')} for ${key}`, quote(text))
}

/** A string that says something. */
export function textOf(value: Value, key: string): string {
  const text = stringOf(value, key)
  if (text.trim() !== '') return text
  throw new DocumentSyntaxError(value.at, `a text for ${key}`, describe(value))
}

import { quote } from '../../base/fqn.js'
import { UsageError } from './usage-error.js'

/** A parser for whole numbers of at least `least`. It throws `UsageError`. */
export function wholeNumber(least: number, example: string): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : -1
    if (value < least)
      throw new UsageError(`${quote(text)} is not a whole number of at least ${least}: write ${example}.`)
    return value
  }
}

/** How many processors, whole or in part: `0.5`, `2`. Throws `UsageError`. */
export function parseCpus(text: string): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : 0
  if (value <= 0) throw new UsageError(`${quote(text)} is not a number of processors: write 0.5 or 2.`)
  return value
}

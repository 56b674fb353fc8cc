import { quote } from '../../base/fqn.js'
import { UsageError } from './usage-error.js'

/** Returns a parser for integers of at least `min`, which throws `UsageError`. */
export function integerParser(min: number, example: string): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : -1
    if (value < min)
      throw new UsageError(`${quote(text)} is not an integer of at least ${min}: write a number such as ${example}.`)
    return value
  }
}

/** Parses a number of CPUs, such as `0.5` or `2`. Throws `UsageError`. */
export function parseCpus(text: string): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : 0
  if (value <= 0) throw new UsageError(`${quote(text)} is not a number of CPUs: write a number such as 0.5 or 2.`)
  return value
}

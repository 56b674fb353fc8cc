import bytes from 'bytes'
import { quote } from '../../base/fqn.js'
import { UsageError } from './usage-error.js'

// Needed because `bytes` parses "12 apples" as 12 bytes.
const SIZE = /^\d+(\.\d+)?\s*(b|kb|mb|gb|tb)$/i

/** Converts `256MB` to bytes. One kilobyte is 1024 bytes. Throws `UsageError`. */
export function parseSize(text: string): number {
  const size = SIZE.test(text) ? bytes.parse(text) : null
  if (size === null || size < 1)
    throw new UsageError(`${quote(text)} is not a size: write a number with a unit, such as 256MB or 1.5GB.`)
  return size
}

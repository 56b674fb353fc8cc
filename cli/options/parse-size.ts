import { quote } from '../../base/fqn.js'
import { parseSize as sizeOf, SIZE_FORM } from '../../base/size.js'
import { UsageError } from './usage-error.js'

/** Converts `256MB` to bytes; at least one. One kilobyte is 1024 bytes. Throws `UsageError`. */
export function parseSize(text: string): number {
  const size = sizeOf(text)
  if (size === undefined || size < 1) throw new UsageError(`${quote(text)} is not a size: write ${SIZE_FORM}.`)
  return size
}

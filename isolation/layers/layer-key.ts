import { createHash } from 'node:crypto'
import type { LayerContent } from '../launch-plan.js'

/** To be raised when the same source would become another tree, another tar or another record beside them. */
export const LAYER_FORMAT = 2

/** All that a layer's bytes depend on: two sources of the same key are the same layer, whatever they are called. */
export function layerKey({ sha256, removals }: LayerContent): string {
  const sorted = removals.map(({ kind, path }) => `${kind} ${path}`).sort()
  return createHash('sha256')
    .update(JSON.stringify([LAYER_FORMAT, sha256, sorted]))
    .digest('hex')
}

/**
 * The name of a layer's directory: 80 bits of its key in 16 letters and digits, so that the lower directories of 128
 * layers fit the one page that mount options have. layer.json holds the whole key, and is asked.
 */
export function layerId(key: string): string {
  return BigInt(`0x${key}`).toString(36).padStart(50, '0').slice(-16)
}

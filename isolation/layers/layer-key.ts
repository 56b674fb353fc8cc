import { createHash } from 'node:crypto'
import type { MappedOwners } from '../archive/mapped-owners.js'
import type { LayerContent } from '../launch-plan.js'

/** To be incremented when the same source yields another tree, another tar or another record. */
export const LAYER_FORMAT = 3

/** A digest of everything that determines the layer's content. The name of the source does not. */
export function layerKey({ sha256, removals }: LayerContent, owners?: MappedOwners): string {
  const sorted = removals.map(({ kind, path }) => `${kind} ${path}`).sort()
  return createHash('sha256')
    .update(JSON.stringify([LAYER_FORMAT, sha256, sorted, ...(owners ? [owners.uids.text, owners.gids.text] : [])]))
    .digest('hex')
}

/**
 * The name of a layer's directory: 80 bits of its key as 16 letters and digits. It is short because the paths of 128 lower
 * directories must fit into one page of mount options. layer.json has the full key, which is compared.
 */
export function layerId(key: string): string {
  return BigInt(`0x${key}`).toString(36).padStart(50, '0').slice(-16)
}

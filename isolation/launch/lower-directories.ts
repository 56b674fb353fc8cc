import type { Layer } from '../layers/layer.js'

/**
 * The lower directories of an overlay of `layers`, relative to the directory of their cache. Plans list layers from the
 * lowest up, overlayfs from the topmost down. Packages with the same data have one layer, which the kernel accepts only
 * once; what is in the topmost hides what would be in the others.
 *
 * @param ground absolute: an overlay needs a directory where there are no layers
 */
export function lowerDirectories(layers: readonly Layer[], ground: string): string[] {
  return [...new Set(layers.map(({ relativePath }) => relativePath).toReversed()), ground]
}
